//! Certificates that only the tests trust.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::CommandExt;
use crate::requirement::Requirement;

pub const OPENSSL: Requirement = Requirement::Program("openssl", "openssl");

/// Creates `ca.crt` of an authority, and `server.crt` and `server.key`, signed by it for the
/// loopback interface. `server.pem` contains both, as Java expects. The server certificate is valid
/// for `days` days; with -1 it has expired.
pub fn certificates(directory: &Path, days: i32) -> Result<()> {
    let openssl = |arguments: &str| {
        Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(directory)
            .text()
    };
    fs::write(
        directory.join("extensions"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n",
    )?;
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=authority",
    )?;
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server")?;
    openssl(&format!(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days {days} -extfile extensions"
    ))?;
    let read = |name: &str| fs::read(directory.join(name));
    let pair = [read("server.key")?, read("server.crt")?].concat();
    fs::write(directory.join("server.pem"), pair)?;
    Ok(())
}
