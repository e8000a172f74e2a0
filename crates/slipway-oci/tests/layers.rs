//! Packing layers: content, modes and reproducibility.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixture::{Store, write};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};
use rustix::io::Errno;
use slipway_oci::compression::Method;
use slipway_oci::{Compression, Digest, Error, Layer, LayerDir, LayerSource};
use tar::EntryType;

fn zstd() -> Compression {
    Compression::new(Method::Zstd, Some(3)).unwrap()
}

fn pack(source: &LayerSource) -> Result<Layer, Error> {
    let out = tempfile::tempdir().unwrap();
    Layer::pack(source, zstd(), &out.path().join("blob"))
}

fn tar_of(source: &LayerSource) -> Vec<u8> {
    let out = tempfile::tempdir().unwrap();
    let blob = out.path().join("blob");
    Layer::pack(source, zstd(), &blob).unwrap();
    zstd::decode_all(File::open(blob).unwrap()).unwrap()
}

/// Kind, name, mode, link target and content of each entry.
fn entries(tar: &[u8]) -> Vec<(EntryType, String, u32, String, String)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap();
    let entry = |entry: Result<tar::Entry<&[u8]>, _>| {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let header = entry.header();
        assert_eq!(header.uid().unwrap(), 0);
        assert_eq!(header.gid().unwrap(), 0);
        assert_eq!(header.mtime().unwrap(), 1);
        assert_eq!(header.username().unwrap(), Some(""));
        assert_eq!(header.groupname().unwrap(), Some(""));
        (
            header.entry_type(),
            String::from_utf8(entry.path_bytes().to_vec()).unwrap(),
            header.mode().unwrap(),
            String::from_utf8(entry.link_name_bytes().unwrap_or_default().to_vec()).unwrap(),
            content,
        )
    };
    entries.map(entry).collect()
}

fn names(tar: &[u8]) -> Vec<String> {
    entries(tar).into_iter().map(|entry| entry.1).collect()
}

#[test]
fn a_store_path_is_packed_with_its_parents_and_read_only() {
    let store = Store::new();
    let app = store.path("app");
    symlink("../share/doc", app.as_path().join("bin/doc")).unwrap();
    let tar = tar_of(&LayerSource::StorePaths(vec![app.clone()]));

    let mut expected = Vec::new();
    let name = &app.as_str()[1..];
    for (end, _) in name.match_indices('/') {
        let parent = format!("{}/", &name[..end]);
        expected.push((EntryType::Directory, parent, 0o755, "", ""));
    }
    use EntryType::{Directory, Regular, Symlink};
    expected.extend([
        (Directory, format!("{name}/"), 0o555, "", ""),
        (Directory, format!("{name}/bin/"), 0o555, "", ""),
        (Regular, format!("{name}/bin/app"), 0o555, "", "app"),
        (
            Symlink,
            format!("{name}/bin/doc"),
            0o777,
            "../share/doc",
            "",
        ),
        (Directory, format!("{name}/share/"), 0o555, "", ""),
        (Regular, format!("{name}/share/doc"), 0o444, "", "doc"),
    ]);
    let found = entries(&tar);
    let found: Vec<_> = found
        .iter()
        .map(|(kind, name, mode, link, content)| {
            (*kind, name.clone(), *mode, link.as_str(), content.as_str())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn times_owners_modes_and_creation_order_do_not_change_the_bytes() {
    let store = Store::new();
    let source = LayerSource::StorePaths(vec![store.path("ssl")]);
    let first = pack(&source).unwrap();

    let path = store.path("ssl");
    fs::remove_dir_all(path.as_path()).unwrap();
    store.add(
        "ssl",
        &[("lib/a", "a", 0o640), ("lib/libssl.so", "ssl", 0o700)],
    );
    let file = path.as_path().join("lib/a");
    // Only root may change owners; for other users, test the rest.
    let _ = chown(&file, Some(1234), Some(1234));
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::open(&file).unwrap().set_modified(long_ago).unwrap();
    fs::hard_link(&file, path.as_path().join("lib/b")).unwrap();
    fs::remove_file(path.as_path().join("lib/b")).unwrap();
    assert_eq!(pack(&source).unwrap(), first);
}

#[test]
fn a_changed_byte_or_executable_bit_changes_the_digest() {
    let store = Store::new();
    let source = LayerSource::StorePaths(vec![store.path("libc")]);
    let first = pack(&source).unwrap();
    let file = store.path("libc").as_path().join("lib/libc.so");
    write(&file, "libc", 0o444);
    let plain = pack(&source).unwrap();
    assert_ne!(plain.diff_id, first.diff_id);
    write(&file, "libd", 0o444);
    assert_ne!(pack(&source).unwrap().diff_id, plain.diff_id);
}

#[test]
fn store_paths_are_sorted_and_deduplicated() {
    let store = Store::new();
    let (a, b) = (store.path("app"), store.path("ssl"));
    let one = pack(&LayerSource::StorePaths(vec![a.clone(), b.clone()])).unwrap();
    let two = pack(&LayerSource::StorePaths(vec![
        b.clone(),
        a.clone(),
        b.clone(),
    ]))
    .unwrap();
    assert_eq!(one, two);
    assert!(one.paths.is_sorted());
    let tar = tar_of(&LayerSource::StorePaths(vec![a, b]));
    let mut found = names(&tar);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), names(&tar).len(), "an entry is there twice");
}

#[test]
fn a_store_path_may_be_a_single_file_or_link() {
    let store = Store::new();
    let (shell, link) = (store.path("shell"), store.path("alias"));
    write(shell.as_path(), "#!", 0o755);
    symlink(shell.as_str(), link.as_path()).unwrap();
    let tar = tar_of(&LayerSource::StorePaths(vec![shell.clone(), link.clone()]));
    let found = names(&tar);
    assert!(found.contains(&shell.as_str()[1..].to_owned()));
    assert!(found.contains(&link.as_str()[1..].to_owned()));
}

#[test]
fn a_tree_at_the_root_has_system_modes_and_a_world_writable_tmp() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree.path().join("etc/passwd"), "root", 0o400);
    write(&tree.path().join("bin/sh"), "sh", 0o500);
    fs::create_dir_all(tree.path().join("tmp")).unwrap();
    fs::create_dir_all(tree.path().join("var/tmp")).unwrap();
    let found: Vec<_> = entries(&tar_of(&LayerSource::Root(tree.path().to_path_buf())))
        .into_iter()
        .map(|(_, name, mode, _, _)| (name, mode))
        .collect();
    let expected = [
        ("bin/", 0o755),
        ("bin/sh", 0o755),
        ("etc/", 0o755),
        ("etc/passwd", 0o644),
        ("tmp/", 0o1777),
        ("var/", 0o755),
        ("var/tmp/", 0o755),
    ];
    assert_eq!(found, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn keeps_names_and_link_targets_longer_than_a_header_field() {
    let tree = tempfile::tempdir().unwrap();
    let directory = "d".repeat(120);
    // Not normalized, and must stay so.
    let target = format!("./{}//x/", "t".repeat(150));
    for length in [98, 99, 100, 101, 255] {
        write(&tree.path().join("f".repeat(length)), "f", 0o444);
    }
    fs::create_dir(tree.path().join(&directory)).unwrap();
    symlink(&target, tree.path().join(&directory).join("link")).unwrap();
    symlink("./a//b/", tree.path().join("short")).unwrap();

    let found = entries(&tar_of(&LayerSource::Root(tree.path().to_path_buf())));
    for length in [98, 99, 100, 101, 255] {
        let name = "f".repeat(length);
        assert!(found.iter().any(|entry| entry.1 == name && entry.4 == "f"));
    }
    let link = format!("{directory}/link");
    assert!(found.iter().any(|entry| entry.1 == format!("{directory}/")));
    assert!(
        found
            .iter()
            .any(|entry| entry.1 == link && entry.3 == target)
    );
    assert!(found.iter().any(|entry| entry.3 == "./a//b/"));
}

#[test]
fn hard_links_are_stored_as_files() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree.path().join("a"), "same", 0o444);
    fs::hard_link(tree.path().join("a"), tree.path().join("b")).unwrap();
    for (kind, _, _, _, content) in entries(&tar_of(&LayerSource::Root(tree.path().to_path_buf())))
    {
        assert_eq!((kind, content.as_str()), (EntryType::Regular, "same"));
    }
}

#[test]
fn keeps_names_and_link_targets_that_are_not_utf_8() {
    let tree = tempfile::tempdir().unwrap();
    let short = b"caf\xe9".to_vec();
    let long = b"\xff".repeat(255);
    for name in [&short, &long] {
        let path = tree.path().join(OsStr::from_bytes(name));
        fs::write(path, "x").unwrap();
    }
    let link = tree.path().join("link");
    symlink(OsStr::from_bytes(&long), link).unwrap();

    let tar = tar_of(&LayerSource::Root(tree.path().to_path_buf()));
    let mut archive = tar::Archive::new(&tar[..]);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let found: Vec<_> = entries
        .map(|entry| {
            let target = entry.link_name_bytes().unwrap_or_default().to_vec();
            (entry.path_bytes().to_vec(), target)
        })
        .collect();
    let expected = [
        (short, vec![]),
        (b"link".to_vec(), long.clone()),
        (long, vec![]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn extended_attributes_are_not_stored() {
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join("file");
    write(&file, "x", 0o644);
    let source = LayerSource::Root(tree.path().to_path_buf());
    let without = pack(&source).unwrap();
    match setxattr(&file, "user.note", b"y", XattrFlags::empty()) {
        // Skip file systems without extended attributes.
        Err(Errno::NOTSUP) => {}
        result => result.unwrap(),
    }
    assert_eq!(pack(&source).unwrap(), without);
}

#[test]
fn sparse_files_are_stored_with_zeros_for_holes() {
    let tree = tempfile::tempdir().unwrap();
    let source = LayerSource::Root(tree.path().to_path_buf());
    let path = tree.path().join("disk");
    let file = File::create(&path).unwrap();
    file.write_all_at(b"end", 3_000_000).unwrap();
    let sparse = pack(&source).unwrap();
    let content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
    assert_eq!(pack(&source).unwrap(), sparse);
}

#[test]
fn rejects_sockets_and_fifos_and_names_them() {
    let tree = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(tree.path().join("control")).unwrap();
    let error = pack(&LayerSource::Root(tree.path().to_path_buf())).unwrap_err();
    let expected = "control is a socket, which a layer cannot hold; remove it from the tree";
    assert!(error.to_string().ends_with(expected), "{error}");
    drop(listener);

    fs::remove_file(tree.path().join("control")).unwrap();
    mknodat(
        CWD,
        tree.path().join("queue"),
        FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .unwrap();
    let error = pack(&LayerSource::Root(tree.path().to_path_buf())).unwrap_err();
    let expected = "queue is a named pipe, which a layer cannot hold; remove it from the tree";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn rejects_unreadable_files_and_directories_and_names_them() {
    let tree = tempfile::tempdir().unwrap();
    let secret = tree.path().join("secret");
    write(&secret, "x", 0o000);
    if File::open(&secret).is_ok() {
        // Root can read everything.
        return;
    }
    let source = LayerSource::Root(tree.path().to_path_buf());
    let denied = |error: Error| {
        let message = error.to_string();
        let expected = format!("cannot read {}: Permission denied", secret.display());
        assert!(message.starts_with(&expected), "{message}");
    };
    denied(pack(&source).unwrap_err());
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    denied(pack(&source).unwrap_err());
}

#[test]
fn rejects_missing_paths_and_names_them() {
    let store = Store::new();
    let missing = store.path("missing");
    let error = pack(&LayerSource::StorePaths(vec![missing.clone()])).unwrap_err();
    assert!(error.to_string().contains(missing.as_str()), "{error}");
    let file = store.graph();
    let error = pack(&LayerSource::Root(file)).unwrap_err();
    assert!(matches!(error, Error::NotADirectory(_)), "{error}");
}

#[test]
fn size_and_digests_of_the_layer_match_its_blob() {
    let store = Store::new();
    // Several full chunks and a partial one.
    store.add(
        "app",
        &[("bin/large", &"slipway ".repeat(1_200_000), 0o555)],
    );
    let source = LayerSource::StorePaths(vec![store.path("app")]);
    for method in [Method::Zstd, Method::Gzip] {
        let compression = Compression::new(method, Some(1)).unwrap();
        let out = store.root.path().join(format!("{method:?}"));
        let made = LayerDir::create(&out, &source, compression).unwrap();
        let layer = made.layer();
        assert_eq!(LayerDir::open(&out).unwrap().layer(), layer);

        let blob = fs::read(made.blob_path()).unwrap();
        assert_eq!(layer.size, blob.len() as u64);
        assert_eq!(layer.digest, Digest::of(&blob));
        let mut tar = Vec::new();
        match method {
            Method::Zstd => tar = zstd::decode_all(&blob[..]).unwrap(),
            // A single member, because some readers stop after the first.
            Method::Gzip => {
                let mut decoder = flate2::bufread::GzDecoder::new(&blob[..]);
                decoder.read_to_end(&mut tar).unwrap();
                assert!(decoder.into_inner().is_empty());
            }
        }
        assert_eq!(layer.uncompressed_size, tar.len() as u64);
        assert_eq!(layer.diff_id, Digest::of(&tar));
    }
}

#[test]
fn a_failed_pack_leaves_nothing_behind() {
    let store = Store::new();
    let before = listing(store.root.path());
    let source = LayerSource::StorePaths(vec![store.path("missing")]);
    LayerDir::create(&store.root.path().join("out"), &source, zstd()).unwrap_err();
    assert_eq!(listing(store.root.path()), before);
}

#[test]
fn existing_files_are_not_overwritten() {
    let store = Store::new();
    let source = LayerSource::StorePaths(vec![store.path("app")]);
    let out = store.root.path().join("nix");
    let error = LayerDir::create(&out, &source, zstd()).unwrap_err();
    assert!(matches!(error, Error::Exists(_)), "{error}");
}

/// The digest of a fixed tree. A change to the byte layout of tars would change the digest of every
/// image; this test detects it.
#[test]
fn the_tar_of_a_fixed_tree_has_a_known_digest() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree.path().join("etc/passwd"), "root:x:0:0::/:\n", 0o644);
    symlink("etc/passwd", tree.path().join("link")).unwrap();
    fs::create_dir(tree.path().join("tmp")).unwrap();
    let layer = pack(&LayerSource::Root(tree.path().to_path_buf())).unwrap();
    assert_eq!(
        layer.diff_id.to_string(),
        "sha256:cd2e821ee5ea32b8bc68dc333bcee857458863428b03b450f935619bdbf41292"
    );
}

fn listing(directory: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
