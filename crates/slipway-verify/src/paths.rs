//! Checks absolute paths that are compiled into libraries: databases, settings, plugins. Whether a
//! program ever opens them is unknown, so a missing path is only a warning.

use std::io::{self, BufRead, Read};

use crate::finding::{Fault, Findings};
use crate::printable::printable;
use crate::tree::{Kind, PATH_LIMIT, Tree};

/// Directories with the files of distributions.
const ROOTS: [&[u8]; 3] = [b"/etc/", b"/usr/lib/", b"/usr/share/"];
/// Most paths that are kept for a file.
const LIMIT: usize = 1000;

/// Libraries that are in nearly every image and contain many paths that programs rarely need.
const RUNTIME: [&[u8]; 2] = [b"libc.so.6", b"libstdc++.so.6"];

/// Paths that programs can do without. They are created by an administrator, or are for systems
/// with an init, debuggers or rare plugins, or an environment variable overrides them, as for
/// OpenSSL's certificates. A `*` matches one path component.
const OPTIONAL: [&str; 24] = [
    "/etc",
    "/usr/lib/*/engines-3",
    "/usr/lib/*/gss",
    "/usr/lib/*/krb5",
    "/usr/lib/*/ossl-modules",
    "/usr/lib/*/pkcs11",
    "/usr/lib/binfmt.d",
    "/usr/lib/debug",
    "/usr/lib/getconf",
    "/usr/lib/locale",
    "/usr/lib/modules-load.d",
    "/usr/lib/pam.d",
    "/usr/lib/sasl2",
    "/usr/lib/security",
    "/usr/lib/ssl",
    "/usr/lib/sysctl.d",
    "/usr/lib/systemd",
    "/usr/lib/sysusers.d",
    "/usr/lib/tmpfiles.d",
    "/usr/lib/udev",
    "/usr/share/factory",
    "/usr/share/locale",
    "/usr/share/p11-kit",
    "/usr/share/systemd",
];

/// Paths and the Debian packages that contain them. These are expected, even below `/etc`.
const PACKAGES: [(&str, &str); 27] = [
    ("/etc/ImageMagick-6", "imagemagick-6-common"),
    ("/etc/ImageMagick-7", "imagemagick-7-common"),
    ("/etc/fonts", "fontconfig-config"),
    ("/etc/mime.types", "media-types"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ("/usr/lib/*/gdk-pixbuf-2.0", "libgdk-pixbuf-2.0-0"),
    ("/usr/lib/*/gstreamer-1.0", "gstreamer1.0-plugins-base"),
    ("/usr/lib/*/sasl2", "libsasl2-modules"),
    ("/usr/lib/*/security", "libpam-modules"),
    ("/usr/share/GeoIP", "geoip-database"),
    ("/usr/share/X11/locale", "libx11-data"),
    ("/usr/share/X11/xkb", "xkb-data"),
    ("/usr/share/alsa", "libasound2-data"),
    ("/usr/share/dict", "wamerican"),
    ("/usr/share/fonts", "fonts-dejavu-core"),
    ("/usr/share/gdal", "gdal-data"),
    ("/usr/share/hunspell", "hunspell-en-us"),
    ("/usr/share/hwdata/pci.ids", "pci.ids"),
    ("/usr/share/hwdata/usb.ids", "usb.ids"),
    ("/usr/share/libthai", "libthai-data"),
    ("/usr/share/mime", "shared-mime-info"),
    ("/usr/share/misc/magic", "libmagic-mgc"),
    ("/usr/share/misc/pci.ids", "pci.ids"),
    ("/usr/share/misc/usb.ids", "usb.ids"),
    ("/usr/share/proj", "proj-data"),
    ("/usr/share/terminfo", "ncurses-base"),
    ("/usr/share/zoneinfo", "tzdata"),
];

/// Prefix of rustc's string in the section `.comment`.
const RUSTC: &[u8] = b"rustc version ";

/// The absolute paths among the NUL-terminated strings of a file, sorted.
///
/// Rust strings are not NUL-terminated, so adjacent constants of a Rust program can look like a
/// path. For Rust files, only paths of a known package are kept.
pub fn read(file: impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut file = io::BufReader::with_capacity(128 * 1024, file);
    let mut found = Vec::new();
    let mut is_rust = false;
    loop {
        match file.fill_buf()?.first() {
            None => break,
            Some(b'/') => {
                let mut text = Vec::new();
                (&mut file)
                    .take(PATH_LIMIT as u64)
                    .read_until(0, &mut text)?;
                if text.pop() == Some(0) {
                    let paths = text.split(|&byte| byte == b':').filter_map(path);
                    found.extend(paths.take(LIMIT - found.len()));
                    continue;
                }
            }
            Some(b'r') => {
                let mut start = Vec::new();
                (&mut file)
                    .take(RUSTC.len() as u64)
                    .read_until(0, &mut start)?;
                is_rust |= start == RUSTC;
                if start.last() == Some(&0) {
                    continue;
                }
            }
            Some(_) => {}
        }
        file.skip_until(0)?;
    }
    if is_rust {
        found.retain(|path| package_of(path).is_some());
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Parses a path below one of [`ROOTS`], without a trailing slash. Glob patterns are rejected.
fn path(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"/").unwrap_or(text);
    let plain = |&byte: &u8| byte.is_ascii_alphanumeric() || b"/._+-@".contains(&byte);
    let below = ROOTS.iter().any(|root| text.starts_with(root));
    let sane = !text.windows(2).any(|pair| pair == b"//") && !text.ends_with(b"/..");
    (below && sane && text.iter().all(plain)).then(|| text.to_vec())
}

/// Whether `path` matches the pattern or is below a match.
fn is_in(path: &[u8], pattern: &str) -> bool {
    let mut parts = path.split(|&byte| byte == b'/');
    pattern.split('/').all(|wanted| {
        let part = parts.next();
        part.is_some_and(|it| wanted == "*" || it == wanted.as_bytes())
    })
}

pub fn package_of(path: &[u8]) -> Option<&'static str> {
    let row = PACKAGES.iter().find(|(pattern, _)| is_in(path, pattern));
    row.map(|(_, package)| *package)
}

/// Whether the path exists, or the path plus an extension: libraries may append one.
fn is_there(tree: &Tree, path: &[u8]) -> bool {
    let with_extension = || {
        let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let start = [&path[slash + 1..], b"."].concat();
        let names = tree.names_in(&path[..slash]);
        names.iter().any(|name| name.starts_with(&start))
    };
    tree.find(path).is_ok() || with_extension()
}

/// Whether this is a library directory, such as `/usr/lib/aarch64-linux-gnu`. Loaders search those
/// whether or not they exist.
fn is_library_directory(path: &[u8]) -> bool {
    let name = path.strip_prefix(b"/usr/lib/").unwrap_or_default();
    name.windows(7).any(|it| it == b"-linux-") && !name.contains(&b'/')
}

/// Finds the paths that do not exist.
pub fn check(tree: &Tree, findings: &mut Findings) {
    tree.for_each(|file, _, node| {
        let Kind::Elf(elf) = &node.kind else {
            return;
        };
        if elf
            .soname
            .as_deref()
            .is_some_and(|it| RUNTIME.contains(&it))
        {
            return;
        }
        let optional = |path: &[u8]| {
            let known = || OPTIONAL.iter().any(|pattern| is_in(path, pattern));
            package_of(path).is_none() && (is_library_directory(path) || known())
        };
        let paths = elf.paths.iter();
        let missing: Vec<&Vec<u8>> = paths
            .filter(|path| !optional(path) && !is_there(tree, path))
            .collect();
        // Prefer a path whose package is known.
        let known = missing.iter().find(|path| package_of(path).is_some());
        if let Some(path) = known.or(missing.first()) {
            let fault = Fault::NoFile {
                path: printable(path),
                more: missing.len() - 1,
                package: package_of(path),
            };
            findings.add(printable(file), fault);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_complete_strings_that_are_plain_paths() {
        let long = format!("/usr/share/{}", "x".repeat(PATH_LIMIT));
        let bytes = [
            "/usr/share/one",
            "code/usr/share/inside",
            "/usr/share/%s/pattern",
            "/usr/share/two/:/etc/three:relative",
            &long,
            "/usr/share/",
            "/opt/other",
            "/usr/share/one",
        ]
        .join("\0");
        let found = read(format!("{bytes}\0/usr/share/cut").as_bytes()).unwrap();
        let found: Vec<_> = found.iter().map(|it| String::from_utf8_lossy(it)).collect();
        assert_eq!(found, ["/etc/three", "/usr/share/one", "/usr/share/two"]);
    }

    #[test]
    fn keeps_only_paths_of_known_packages_for_rust() {
        let constants = b"\0/usr/share/zonei\0/usr/share/misc/magic\0r\0rustc version 1.85.1\0";
        assert_eq!(read(&constants[..]).unwrap(), [b"/usr/share/misc/magic"]);
    }
}
