//! A Go module proxy in a directory. Source of its layout: The Go Reference, "Go Modules Reference",
//! "GOPROXY protocol".

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Crc;

/// Puts a module version with these files into the proxy.
pub fn publish(proxy: &Path, path: &str, version: &str, files: &[(&str, &str)]) -> Result<()> {
    let directory = proxy.join(path).join("@v");
    fs::create_dir_all(&directory)?;
    let manifest = files.iter().find(|(name, _)| *name == "go.mod");
    let (_, manifest) = manifest.context("no go.mod")?;
    let write = |kind: &str, content: &[u8]| {
        fs::write(directory.join(format!("{version}.{kind}")), content)
    };
    write("info", format!(r#"{{"Version":"{version}"}}"#).as_bytes())?;
    write("mod", manifest.as_bytes())?;
    let entries: Vec<(String, &str)> = files
        .iter()
        .map(|(name, text)| (format!("{path}@{version}/{name}"), *text))
        .collect();
    write("zip", &zip(&entries))?;
    Ok(())
}

/// An archive of files that are not compressed. Source: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12
/// and 4.3.16.
fn zip(files: &[(String, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (name, text) in files {
        let offset = archive.len() as u32;
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let size = (text.len() as u32).to_le_bytes();
        // Version 1.0, no flags, not compressed, no time; then checksum, sizes and the name's length.
        let common = [
            &[10, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), text.as_bytes()].concat());
        let start = [
            &b"PK\x01\x02"[..],
            &[10, 0],
            &common,
            &[0; 10],
            &offset.to_le_bytes(),
        ];
        directory.extend([&start.concat(), name.as_bytes()].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (size, offset) = (directory.len() as u32, archive.len() as u32);
    archive.extend(directory);
    archive.extend([&b"PK\x05\x06"[..], &[0; 4], &count, &count].concat());
    archive.extend([&size.to_le_bytes()[..], &offset.to_le_bytes(), &[0; 2]].concat());
    archive
}
