//! Files that libraries expect to find on any system: users, the sources of names, certificate
//! authorities, and a directory for temporary files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::accounts::{Account, Accounts, Owner};
use crate::files::{Files, ImagePath};
use crate::{Error, Result, tree};

/// Where the certificates are: Debian's path, which OpenSSL, GnuTLS and Go know.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where libraries of other systems look for certificates: Fedora's and RHEL's paths, openSUSE's,
/// and that of Alpine and the BSDs. Source: Go's
/// crypto/x509, root_linux.go; the defaults of OpenSSL in Fedora.
const OTHER_PLACES: [&str; 5] = [
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Users and groups come from files. Hosts come from the engine's `/etc/hosts`, then from DNS.
/// Source: nsswitch.conf(5).
const NAME_SERVICES: &str = "group: files\nhosts: files dns\npasswd: files\n";

/// What to write.
#[derive(Clone, Debug, Default)]
pub struct SystemFiles {
    /// Accounts besides root and nonroot.
    pub accounts: Vec<Account>,
    /// Files of certificates in PEM format, and directories with `*.crt` files.
    pub certificates: Vec<PathBuf>,
}

impl SystemFiles {
    pub fn files(&self) -> Result<Files> {
        let accounts = Accounts::new(self.accounts.iter().cloned())?;
        let mut files = Files::default();
        files.add_text("/etc/group", accounts.group().into_bytes())?;
        files.add_text("/etc/nsswitch.conf", NAME_SERVICES.into())?;
        files.add_text("/etc/passwd", accounts.passwd().into_bytes())?;
        files.add_directory(&ImagePath::parse("/tmp", "")?, None, Owner::default())?;
        if !self.certificates.is_empty() {
            files.add_text(CERTIFICATES, self.bundle()?)?;
            for place in OTHER_PLACES {
                files.add_symlink(place, CERTIFICATES)?;
            }
        }
        Ok(files)
    }

    /// All certificates in one file.
    fn bundle(&self) -> Result<Vec<u8>> {
        let mut bundle = Vec::new();
        for path in &self.certificates {
            let files = match path.is_dir() {
                false => vec![path.clone()],
                true => {
                    let names = tree::children(path)?.into_iter();
                    let certificates = names.filter(|name| name.ends_with(b".crt"));
                    certificates
                        .map(|name| path.join(OsStr::from_bytes(&name)))
                        .collect()
                }
            };
            for file in files {
                let text = fs::read(&file).map_err(Error::io("read", &file))?;
                let head = b"-----BEGIN CERTIFICATE-----";
                if !text.windows(head.len()).any(|part| part == head) {
                    return Err(Error::NoCertificate(file));
                }
                bundle.extend(&text);
                if !text.ends_with(b"\n") {
                    bundle.push(b'\n');
                }
            }
        }
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_writer::TarWriter;

    /// Names with the mode or the target of a link, and the content of each file.
    fn listed(system: &SystemFiles) -> Vec<(String, String)> {
        use std::io::Read;

        let mut archive = TarWriter::new(Vec::new(), PathBuf::new());
        system.files().unwrap().append(&mut archive).unwrap();
        let tar = archive.finish().unwrap();
        let mut archive = tar::Archive::new(&tar[..]);
        let line = |entry: std::io::Result<tar::Entry<&[u8]>>| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let name = entry.path().unwrap().display().to_string();
            let target = entry.link_name().unwrap();
            let shown = target.map(|target| target.display().to_string());
            let mode = format!("{:04o}", entry.header().mode().unwrap());
            (format!("{name} {}", shown.unwrap_or(mode)), content)
        };
        archive.entries().unwrap().map(line).collect()
    }

    #[test]
    fn every_system_has_users_name_services_and_tmp() {
        let listed = listed(&SystemFiles::default());
        let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "etc/ 0755",
                "etc/group 0644",
                "etc/nsswitch.conf 0644",
                "etc/passwd 0644",
                "tmp/ 1777"
            ]
        );
        assert!(listed[3].1.contains("nonroot:x:65532:65532:"));
    }

    #[test]
    fn certificates_are_where_libraries_look() {
        let directory = tempfile::tempdir().unwrap();
        let pem = |name: &str| format!("-----BEGIN CERTIFICATE-----\n{name}");
        for name in ["b.crt", "a.crt", "note"] {
            fs::write(directory.path().join(name), pem(name)).unwrap();
        }
        let more = directory.path().join("own");
        fs::write(&more, pem("own")).unwrap();
        let system = SystemFiles {
            accounts: vec!["app=1000".parse().unwrap()],
            certificates: vec![directory.path().to_path_buf(), more],
        };
        let listed = listed(&system);
        let of = |name: &str| listed.iter().find(|(found, _)| found == name).unwrap();
        assert_eq!(
            of("etc/ssl/certs/ca-certificates.crt 0644").1,
            [pem("a.crt"), pem("b.crt"), pem("own"), String::new()].join("\n")
        );
        of("etc/ssl/cert.pem /etc/ssl/certs/ca-certificates.crt");
        of("etc/pki/tls/certs/ca-bundle.crt /etc/ssl/certs/ca-certificates.crt");
        assert!(of("etc/passwd 0644").1.contains("\napp:x:1000:1000:"));
    }

    #[test]
    fn rejects_files_that_are_no_certificates() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let system = SystemFiles {
            certificates: vec![file.path().to_path_buf()],
            ..SystemFiles::default()
        };
        let message = system.files().unwrap_err().to_string();
        assert!(
            message.ends_with("has no certificate in PEM format"),
            "{message}"
        );
    }
}
