//! Verification: each fault is found, and valid images have none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;

use fixture::{
    AARCH64, Elf, Entry, LOADER, PackConfig, X86_64, altered, dynamic, field, file, hard_link,
    image, library, program, script, static_program, symlink, tar,
};
use slipway_oci::config::RuntimeConfig;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Document, MediaType};
use slipway_verify::{Report, verify};
use tar::EntryType;

fn report(config: &PackConfig) -> Report {
    let (layout, _place) = config.layout();
    verify(&layout, None).unwrap().remove(0)
}

/// The findings as printed.
fn faults(config: &PackConfig) -> Vec<String> {
    let findings = report(config).findings;
    findings.iter().map(|finding| finding.to_string()).collect()
}

/// The findings in an image with these entries and a static program.
fn faults_with(entries: Vec<Entry>) -> Vec<String> {
    faults(&image(vec![
        vec![program("bin/app", static_program())],
        entries,
    ]))
}

fn entrypoint(words: &[&str]) -> RuntimeConfig {
    RuntimeConfig {
        entrypoint: words.iter().map(|word| word.to_string()).collect(),
        ..RuntimeConfig::default()
    }
}

fn loader() -> Entry {
    program(
        "lib64/ld-linux-x86-64.so.2",
        library("ld-linux-x86-64.so.2", &[]),
    )
}

#[test]
fn a_sound_image_has_no_faults_and_a_summary() {
    let report = report(&image(vec![
        vec![
            loader(),
            program(
                "usr/lib/libc.so.6",
                library("libc.so.6", &["ld-linux-x86-64.so.2"]),
            ),
            Entry("tmp/", EntryType::Directory, 0o1777, Vec::new()),
        ],
        vec![
            program("bin/app", dynamic(&["libc.so.6"])),
            file("etc/os-release", ""),
        ],
    ]));
    assert_eq!(report.findings, []);
    assert!(report.machine_known);
    assert_eq!((report.layers, report.files), (2, 4));
    assert_eq!((report.counts.programs, report.counts.libraries), (1, 2));
    assert_eq!(report.entrypoint.as_deref(), Some("/bin/app"));
}

#[test]
fn finds_wrong_architecture_programs() {
    let foreign = Elf {
        machine: AARCH64,
        ..static_program()
    };
    assert_eq!(
        faults_with(vec![program("bin/other", foreign)]),
        ["/bin/other: is for linux/arm64, the image for linux/amd64"]
    );
}

#[test]
fn files_must_agree_if_the_platform_has_no_known_machine() {
    let unknown = |kind: Elf| Elf {
        machine: 43,
        ..kind
    };
    let mut config = image(vec![vec![
        program("bin/app", unknown(static_program())),
        program("bin/b", unknown(static_program())),
    ]]);
    config.platform = "linux/sparc64";
    let sound = report(&config);
    assert_eq!((sound.findings.len(), sound.machine_known), (0, false));
    config.layers.push(vec![program("bin/c", static_program())]);
    assert_eq!(
        faults(&config),
        ["/bin/c: is for linux/amd64, the image for ELF machine 43 (64 bits, little-endian)"]
    );
}

#[test]
fn finds_missing_interpreters() {
    assert_eq!(
        faults(&image(vec![vec![program("bin/app", dynamic(&[]))]])),
        [format!(
            "/bin/app: wants the interpreter {LOADER}, which is not in the image"
        )]
    );
    let loader = file("lib64/ld-linux-x86-64.so.2", "");
    assert_eq!(
        faults(&image(vec![vec![program("bin/app", dynamic(&[])), loader]])),
        [format!(
            "/bin/app: wants the interpreter {LOADER}, which is not executable"
        )]
    );
}

#[test]
fn finds_programs_that_the_kernel_or_loader_cannot_start() {
    let faults_of = |elf: Elf| {
        let mut found = faults(&image(vec![vec![loader(), program("bin/app", elf)]]));
        found.retain(|line| line.starts_with("/bin/app"));
        found
    };
    // A static program with a loader, as a compiler wrapper creates it.
    let with_loader = Elf {
        interpreter: LOADER,
        ..static_program()
    };
    assert_eq!(
        faults_of(with_loader),
        [
            "/bin/app: cannot be started: it names a loader but has no dynamic section for it; link it with \
             -static, or without --dynamic-linker"
        ]
    );
    let without_code = Elf {
        flags: 4,
        ..static_program()
    };
    assert_eq!(
        faults_of(without_code),
        ["/bin/app: cannot be started: its entry point is in no executable segment"]
    );
    let object = Elf {
        kind: 1,
        ..static_program()
    };
    assert_eq!(
        faults_of(object),
        ["/bin/app: cannot be started: it is an object file or a core dump"]
    );
    // A static PIE.
    assert!(faults_of(library("", &[])).is_empty());
}

#[test]
fn finds_programs_that_need_libraries_but_have_no_loader() {
    let app = Elf {
        interpreter: "",
        kind: 3,
        ..dynamic(&["libc.so.6"])
    };
    // The PIE flag marks it as a program.
    let pie = Elf { pie: true, ..app };
    let libc = program("lib/libc.so.6", library("libc.so.6", &[]));
    assert_eq!(
        faults(&image(vec![vec![libc, program("bin/app", pie)]])),
        ["/bin/app: cannot be started: it needs libraries and names no loader for them"]
    );
    let static_pie = Elf { needed: &[], ..pie };
    assert!(faults(&image(vec![vec![program("bin/app", static_pie)]])).is_empty());
}

#[test]
fn finds_segments_that_the_kernel_does_not_map() {
    let size = |bytes: u64| bytes.to_le_bytes();
    let reason_of = |changes: &[(usize, &[u8])]| {
        let found = faults(&image(vec![vec![altered(
            "bin/app",
            static_program(),
            changes,
        )]]));
        let prefix = "/bin/app: cannot be started: ";
        let reasons: Vec<_> = found
            .iter()
            .map(|it| it.strip_prefix(prefix).unwrap_or(it))
            .collect();
        reasons.join("; ")
    };
    assert_eq!(
        reason_of(&[(field::ENTRY, &size(0))]),
        "it has no entry point"
    );
    assert_eq!(
        reason_of(&[(field::TYPE, &[6])]),
        "none of it is loaded into memory"
    );
    assert_eq!(
        reason_of(&[(field::SIZE_IN_MEMORY, &size(1))]),
        "a segment is larger in the file than in memory"
    );
    let megabyte = size(1 << 20);
    assert_eq!(
        reason_of(&[
            (field::SIZE_IN_FILE, &megabyte),
            (field::SIZE_IN_MEMORY, &megabyte)
        ]),
        "a segment is not whole: the file is cut off"
    );
    assert_eq!(
        reason_of(&[(field::OFFSET, &size(8))]),
        "a segment is not whole: the file is cut off"
    );
    assert_eq!(
        reason_of(&[(field::OFFSET, &size(8)), (field::SIZE_IN_FILE, &size(64))]),
        "a segment has another place in its page than in the file, so it cannot be mapped"
    );
    // Turn the second header, unused in a static program, into a loaded segment.
    let second = |field: usize| field + field::NEXT;
    let load: (usize, &[u8]) = (second(field::TYPE), &[1]);
    assert_eq!(reason_of(&[load]), "its segments overlap");
    let below = size(0x30_0000);
    let at_start: (usize, &[u8]) = (second(field::OFFSET), &[0; 8]);
    assert_eq!(
        reason_of(&[load, at_start, (second(field::ADDRESS), &below)]),
        "its segments are not in the order of their addresses"
    );
    let above = size(0x50_0000);
    assert_eq!(
        reason_of(&[load, at_start, (second(field::ADDRESS), &above)]),
        ""
    );
}

#[test]
fn finds_interpreters_that_cannot_run() {
    let app = || program("bin/app", dynamic(&[]));
    let loader = |elf: Elf| program("lib64/ld-linux-x86-64.so.2", elf);
    let foreign = Elf {
        machine: AARCH64,
        ..library("", &[])
    };
    assert_eq!(
        faults(&image(vec![vec![app(), loader(foreign)]])),
        [
            format!("{LOADER}: is for linux/arm64, the image for linux/amd64"),
            format!("/bin/app: wants the interpreter {LOADER}, which is for linux/arm64"),
        ]
    );
    let object = Elf {
        kind: 1,
        ..static_program()
    };
    assert_eq!(
        faults(&image(vec![vec![app(), loader(object)]])),
        [format!(
            "/bin/app: wants the interpreter {LOADER}, which cannot be started: it is an object file or a \
             core dump"
        )]
    );
}

#[test]
fn warns_of_executable_stacks_and_text_relocations() {
    // Turn the second header into PT_GNU_STACK with read, write and execute.
    let stack: [(usize, &[u8]); 2] = [
        (field::TYPE + field::NEXT, &0x6474_e551u32.to_le_bytes()),
        (field::FLAGS + field::NEXT, &[7]),
    ];
    let entries = vec![altered("bin/app", static_program(), &stack)];
    let report = report(&image(vec![entries]));
    assert_eq!(report.faults(), 0);
    assert_eq!(
        report.findings[0].to_string(),
        "warning: /bin/app: asks for an executable stack, which hardened systems refuse; link it with -z \
         noexecstack"
    );
    let relocated = Elf {
        text_relocations: true,
        ..library("liba.so", &[])
    };
    assert_eq!(
        faults_with(vec![program("lib/liba.so", relocated)]),
        [
            "warning: /lib/liba.so: has text relocations: the loader must write to its code, which hardened \
             systems refuse; compile it with -fPIC"
        ]
    );
}

#[test]
fn warns_of_segments_aligned_to_small_pages() {
    let small = |machine| Elf {
        machine,
        alignment: 4096,
        ..static_program()
    };
    let mut config = image(vec![vec![program("bin/app", small(X86_64))]]);
    assert!(faults(&config).is_empty());
    config = image(vec![vec![program("bin/app", small(AARCH64))]]);
    config.platform = "linux/arm64";
    let report = report(&config);
    assert_eq!(report.faults(), 0);
    assert_eq!(
        faults(&config),
        [
            "warning: /bin/app: has segments aligned to 4096 bytes, and kernels of this platform may have pages of \
             65536; link it with -z max-page-size=65536"
        ]
    );
}

#[test]
fn finds_interpreters_that_are_not_programs() {
    let loader = script("lib64/ld-linux-x86-64.so.2", "#!/bin/app\n");
    assert_eq!(
        faults(&image(vec![vec![program("bin/app", dynamic(&[])), loader]])),
        [format!(
            "/bin/app: wants the interpreter {LOADER}, which is no ELF file"
        )]
    );
}

#[test]
fn finds_too_many_layers() {
    let layers = |count: usize| {
        let mut layers = vec![vec![program("bin/app", static_program())]];
        layers.resize_with(count, Vec::new);
        faults(&image(layers))
    };
    assert!(layers(127).is_empty());
    assert_eq!(
        layers(128),
        ["the image: has 128 layers, and engines stop at 127"]
    );
}

#[test]
fn finds_missing_users_and_working_directories() {
    let of = |user: &str, directory: &str| {
        let passwd = file("etc/passwd", "root:x:0:0::/:\nnonroot:x:65532:65532::/:\n");
        let group = file("etc/group", "root:x:0:\n");
        let mut config = image(vec![vec![
            program("bin/app", static_program()),
            passwd,
            group,
        ]]);
        config.runtime.user = Some(user.into());
        config.runtime.working_dir = Some(directory.into());
        faults(&config)
    };
    assert!(of("nonroot:root", "/bin").is_empty());
    assert!(of("1000:1000", "/").is_empty());
    assert_eq!(
        of("app:staff", "/srv"),
        [
            "app: is whom the image runs as, and /etc/passwd of the image has no such name",
            "staff: is whom the image runs as, and /etc/group of the image has no such name",
            "warning: /srv: is the image's working directory, and is not in it; engines make it, as root's",
        ]
    );
}

#[test]
fn finds_file_capabilities() {
    let record = "SCHILY.xattr.security.capability=x\n";
    let record = format!("{} {record}", record.len() + 3);
    let records = Entry("pax", EntryType::XHeader, 0o644, record.into());
    assert_eq!(
        faults_with(vec![records, program("bin/ping", static_program())]),
        ["/bin/ping: has file capabilities: it runs with them, whoever starts it"]
    );
}

/// The findings in an image on a base with these entries, which another tool made.
fn faults_on_base(entries: Vec<Entry>) -> Vec<String> {
    let (lower, _lower_place) = image(vec![entries]).layout();
    let base = lower.images().unwrap().remove(0);
    let place = tempfile::tempdir().unwrap();
    let mut config = base.config().value().clone();
    config.history[0].created_by = Some("ADD rootfs.tar /".to_owned());
    let config = Document::new(MediaType::Config, config).unwrap();
    let mut manifest = base.manifest().value().clone();
    manifest.config = config.descriptor().clone();
    let manifest = Document::new(MediaType::Manifest, manifest).unwrap();
    let mut writer = LayoutWriter::create(&place.path().join("base")).unwrap();
    writer.add_layers_of(&lower, &base).unwrap();
    writer.add_document(&config).unwrap();
    let top = writer.add_document(&manifest).unwrap();
    let lower = writer.finish(top).unwrap();
    let base = lower.images().unwrap().remove(0);

    let own = vec![
        program("bin/app", static_program()),
        Entry("dev/own", EntryType::Char, 0o600, Vec::new()),
    ];
    let (upper, _upper_place) = image(vec![own]).layout();
    let own = upper.images().unwrap().remove(0);
    let mut writer = LayoutWriter::create(&place.path().join("image")).unwrap();
    writer.add_layers_of(&lower, &base).unwrap();
    writer.add_layers_of(&upper, &own).unwrap();
    let top = writer.add_image(&own.onto(&base).unwrap()).unwrap();
    let layout = writer.finish(top).unwrap();
    let findings = verify(&layout, None).unwrap().remove(0).findings;
    findings.iter().map(|finding| finding.to_string()).collect()
}

#[test]
fn one_warning_stands_for_modes_and_devices_of_a_base() {
    let entries = vec![
        loader(),
        Entry("dev/null", EntryType::Char, 0o666, Vec::new()),
        Entry("bin/su", EntryType::Regular, 0o4755, Vec::new()),
        program("bin/broken", dynamic(&["libx.so.1"])),
    ];
    assert_eq!(
        faults_on_base(entries),
        [
            "/dev/own: is a character device",
            "/bin/broken: needs libx.so.1, which the loader does not find",
            "warning: the base image: has 2 faults of its own, such as /bin/su: runs as its owner, whoever \
             starts it (set-user-ID, mode 4755)",
        ]
    );
    assert_eq!(
        faults_on_base(vec![loader()]),
        ["/dev/own: is a character device"]
    );
}

#[test]
fn finds_missing_libraries_and_the_files_that_need_them() {
    let config = image(vec![vec![
        loader(),
        program("bin/app", dynamic(&["liba.so.1"])),
        program(
            "lib/liba.so.1",
            library("liba.so.1", &["libb.so.2", "libb.so.2"]),
        ),
    ]]);
    assert_eq!(
        faults(&config),
        ["/lib/liba.so.1: needs libb.so.2, which the loader does not find"]
    );
}

#[test]
fn skips_wrong_architecture_libraries_and_reports_them() {
    let foreign = Elf {
        machine: AARCH64,
        ..library("liba.so.1", &[])
    };
    let config = |good| {
        let mut entries = vec![
            loader(),
            program("bin/app", dynamic(&["liba.so.1"])),
            program("lib64/liba.so.1", foreign),
        ];
        if good {
            entries.push(program("usr/lib/liba.so.1", library("liba.so.1", &[])));
        }
        image(vec![entries])
    };
    let foreign = "/lib64/liba.so.1: is for linux/arm64, the image for linux/amd64";
    assert_eq!(faults(&config(true)), [foreign]);
    assert_eq!(
        faults(&config(false)),
        [
            foreign,
            "/bin/app: needs liba.so.1, and /lib64/liba.so.1 is for another machine"
        ]
    );
}

#[test]
fn finds_libraries_by_runpath_rpath_origin_and_links() {
    let with = |needed, rpath, runpath| Elf {
        rpath,
        runpath,
        ..dynamic(needed)
    };
    let lib = |name: &'static str, needed| library(name, needed);
    for app in [
        with(&["liba.so", "libb.so"], "", "/opt/none:/opt/a:/opt/b"),
        with(&["liba.so", "libb.so"], "/opt/a:/opt/b", ""),
        with(
            &["liba.so", "libb.so"],
            "",
            "$ORIGIN/../opt/a:${ORIGIN}/../opt/b",
        ),
        // The program's RPATH applies to the dependencies of libraries, its RUNPATH does not.
        with(&["liba.so"], "/opt/a:/opt/b", ""),
    ] {
        let entries = vec![
            loader(),
            program("bin/app", app),
            symlink("opt/a", "../srv/a"),
            program("srv/a/liba.so.1.0", lib("liba.so", &["libb.so"])),
            symlink("srv/a/liba.so", "liba.so.1.0"),
            program("opt/b/libb.so", lib("libb.so", &[])),
        ];
        assert_eq!(faults(&image(vec![entries])), [""; 0]);
    }
    let entries = vec![
        loader(),
        program("bin/app", with(&["liba.so"], "", "/opt/a:/opt/b")),
        program("opt/a/liba.so", lib("liba.so", &["libb.so"])),
        program("opt/b/libb.so", lib("libb.so", &[])),
    ];
    assert_eq!(
        faults(&image(vec![entries])),
        ["/opt/a/liba.so: needs libb.so, which the loader does not find"]
    );
}

#[test]
fn finds_libraries_by_configuration_environment_and_debian_directories() {
    let entries = |at| {
        vec![
            loader(),
            program("bin/app", dynamic(&["liba.so"])),
            program(at, library("liba.so", &[])),
        ]
    };
    let debian = image(vec![entries("usr/lib/x86_64-linux-gnu/liba.so")]);
    assert_eq!(faults(&debian), [""; 0]);

    let elsewhere = image(vec![entries("opt/a/liba.so")]);
    assert_eq!(faults(&elsewhere).len(), 1);

    let mut environment = image(vec![entries("opt/a/liba.so")]);
    environment.runtime.env = vec!["LD_LIBRARY_PATH=/none:/opt/a".to_owned()];
    assert_eq!(faults(&environment), [""; 0]);

    let configuration = image(vec![
        entries("opt/a/liba.so"),
        vec![
            file(
                "etc/ld.so.conf",
                "# all\ninclude /etc/ld.so.conf.d/*.conf\n",
            ),
            file("etc/ld.so.conf.d/a.conf", "/opt/a # ours\n"),
        ],
    ]);
    assert_eq!(faults(&configuration), [""; 0]);
}

/// A program with these undefined symbols of `liba.so.1`, and a library that defines the given
/// ones.
fn program_and_library(
    wants: &'static [&'static str],
    defines: &'static [&'static str],
) -> PackConfig {
    let app = Elf {
        wants,
        ..dynamic(&["liba.so.1"])
    };
    let liba = Elf {
        defines,
        ..library("liba.so.1", &[])
    };
    image(vec![vec![
        loader(),
        program("bin/app", app),
        program("lib/liba.so.1", liba),
    ]])
}

#[test]
fn finds_symbols_that_no_loaded_library_defines() {
    assert!(faults(&program_and_library(&["one", "two"], &["two", "one"])).is_empty());
    assert_eq!(
        faults(&program_and_library(&["one", "two"], &["two"])),
        ["/bin/app: needs the symbol one, which nothing that /bin/app loads defines"]
    );
    assert_eq!(
        faults(&program_and_library(&["one", "two", "three"], &["two"])),
        ["/bin/app: needs the symbol one and 1 more, which nothing that /bin/app loads defines"]
    );
}

#[test]
fn looks_up_symbols_in_both_kinds_of_hash_tables() {
    for (defines, count) in [(&["one"][..], 0), (&["two"], 1), (&[], 1)] {
        for sysv_hash in [false, true] {
            let mut config = program_and_library(&["one"], &[]);
            let liba = Elf {
                defines,
                sysv_hash,
                ..library("liba.so.1", &[])
            };
            config.layers.push(vec![program("lib/liba.so.1", liba)]);
            assert_eq!(faults(&config).len(), count, "{defines:?} {sysv_hash}");
        }
    }
}

#[test]
fn symbols_may_come_from_any_loaded_library_or_the_loader() {
    let config = |needed| {
        let app = Elf {
            wants: &["one", "start"],
            ..dynamic(needed)
        };
        let loader = Elf {
            defines: &["start"],
            ..library("ld-linux-x86-64.so.2", &[])
        };
        let libb = Elf {
            defines: &["one"],
            wants: &["back"],
            ..library("libb.so", &[])
        };
        // The program defines symbols for its libraries, too.
        let app = Elf {
            defines: &["back"],
            ..app
        };
        image(vec![vec![
            program("lib64/ld-linux-x86-64.so.2", loader),
            program("bin/app", app),
            program("lib/liba.so", library("liba.so", &["libb.so"])),
            program("lib/libb.so", libb),
        ]])
    };
    assert!(faults(&config(&["liba.so"])).is_empty());
    // A library that the program does not load does not help.
    assert_eq!(
        faults(&config(&[])),
        ["/bin/app: needs the symbol one, which nothing that /bin/app loads defines"]
    );
}

#[test]
fn finds_versions_that_the_library_does_not_define() {
    assert!(faults(&program_and_library(&["one@V1"], &["one@V1"])).is_empty());
    assert!(faults(&program_and_library(&["one"], &["one@V1"])).is_empty());
    // A library without versions satisfies every version.
    assert!(faults(&program_and_library(&["one@V1"], &["one"])).is_empty());
    assert_eq!(
        faults(&program_and_library(
            &["one@V1", "two@V2", "three@V3"],
            &["one@V1"]
        )),
        [
            "/bin/app: needs version V2 of liba.so.1, which the image's liba.so.1 does not have",
            "/bin/app: needs version V3 of liba.so.1, which the image's liba.so.1 does not have",
        ]
    );
    assert_eq!(
        faults(&program_and_library(&["one@V1"], &["one@V2", "two@V1"])),
        ["/bin/app: needs the symbol one, which nothing that /bin/app loads defines"]
    );
}

#[test]
fn musl_resolves_symbols_by_name_alone() {
    let app = |wants| Elf {
        interpreter: "/lib/ld-musl-x86_64.so.1",
        wants,
        ..dynamic(&["liba.so"])
    };
    let config = |wants| {
        let liba = Elf {
            defines: &["one@V2"],
            ..library("liba.so", &[])
        };
        image(vec![vec![
            program("lib/ld-musl-x86_64.so.1", library("", &[])),
            program("bin/app", app(wants)),
            program("lib/liba.so", liba),
        ]])
    };
    assert!(faults(&config(&["one@V1"])).is_empty());
    assert_eq!(
        faults(&config(&["two@V1"])),
        ["/bin/app: needs the symbol two, which nothing that /bin/app loads defines"]
    );
}

#[test]
fn symbols_of_plugins_may_come_from_any_file_or_else_are_a_warning() {
    let plugin = |wants| {
        let plugin = Elf {
            wants,
            ..library("", &["libhost.so"])
        };
        let host = Elf {
            defines: &["one@V1"],
            ..library("libhost.so", &[])
        };
        let app = Elf {
            defines: &["callback"],
            ..static_program()
        };
        image(vec![vec![
            program(
                "bin/app",
                Elf {
                    kind: 3,
                    pie: true,
                    ..app
                },
            ),
            program("lib/libhost.so", host),
            program("opt/plugin.so", plugin),
        ]])
    };
    assert!(faults(&plugin(&["one@V1", "callback"])).is_empty());
    let found = report(&plugin(&["two"]));
    assert_eq!(found.faults(), 0);
    assert_eq!(
        found.findings[0].to_string(),
        "warning: /opt/plugin.so: needs the symbol two, which nothing in the image defines"
    );
    assert_eq!(
        faults(&plugin(&["one@V2"])),
        [
            "warning: /opt/plugin.so: needs version V2 of libhost.so, which the image's libhost.so does not have"
        ]
    );
}

#[test]
fn skips_symbols_if_a_library_is_missing() {
    let mut config = program_and_library(&["one"], &[]);
    config.layers[0].pop();
    assert_eq!(
        faults(&config),
        ["/bin/app: needs liba.so.1, which the loader does not find"]
    );
}

#[test]
fn warns_of_missing_runtime_files_with_their_package() {
    let config = |texts, files: &[&'static str]| {
        let liba = Elf {
            texts,
            ..library("liba.so.1", &[])
        };
        let mut config = program_and_library(&[], &[]);
        config.layers.push(vec![program("lib/liba.so.1", liba)]);
        let files = files.iter().map(|name| file(name, "data"));
        config.layers.push(files.collect());
        config
    };
    let zones = &["/usr/share/zoneinfo/"];
    assert_eq!(
        faults(&config(zones, &[])),
        [
            "warning: /lib/liba.so.1: may open /usr/share/zoneinfo, which the image does not have; Debian's tzdata does"
        ]
    );
    assert_eq!(faults(&config(zones, &["usr/share/zoneinfo/UTC"])), [""; 0]);
    assert_eq!(
        faults(&config(&["/usr/lib/x/other", "/usr/share/x/data.bin"], &[])),
        [
            "warning: /lib/liba.so.1: may open /usr/lib/x/other and 1 more, which the image does not have"
        ]
    );
    // libmagic appends `.mgc` to this path.
    let magic = &["/etc/magic:/usr/share/misc/magic"];
    assert_eq!(
        faults(&config(magic, &["usr/share/misc/magic.mgc"])),
        [""; 0]
    );
    assert_eq!(faults(&config(magic, &[])).len(), 1);
    let others = &[
        "/etc/some.conf",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/share/locale/%s",
    ];
    assert_eq!(faults(&config(others, &[])), [""; 0]);
}

#[test]
fn warns_of_missing_time_zones() {
    let config = |zone: &str| {
        let mut config = program_and_library(&[], &[]);
        config.runtime.env = vec![format!("TZ={zone}")];
        config
    };
    assert_eq!(faults(&config("UTC")), [""; 0]);
    assert_eq!(
        faults(&config("Europe/Vienna")),
        [
            "warning: TZ=Europe/Vienna: may open /usr/share/zoneinfo/Europe/Vienna, which the image does not have; Debian's tzdata does"
        ]
    );
}

#[test]
fn skips_libraries_that_musl_contains() {
    let app = Elf {
        interpreter: "/lib/ld-musl-x86_64.so.1",
        ..dynamic(&["libc.musl-x86_64.so.1", "libpthread.so", "liba.so"])
    };
    let entries = vec![
        program("bin/app", app),
        program(
            "lib/ld-musl-x86_64.so.1",
            library("libc.musl-x86_64.so.1", &[]),
        ),
    ];
    assert_eq!(
        faults(&image(vec![entries])),
        ["/bin/app: needs liba.so, which the loader does not find"]
    );
}

#[test]
fn dependencies_of_plugins_may_be_anywhere_in_the_image() {
    let plugin = |needed| program("opt/plugin.so", library("", needed));
    let host = || program("srv/libhost.so", library("libhost.so.1", &[]));
    assert_eq!(
        faults_with(vec![plugin(&["libhost.so.1"]), host()]),
        [""; 0]
    );
    assert_eq!(
        faults_with(vec![plugin(&["libhost.so.2"]), host()]),
        ["/opt/plugin.so: needs libhost.so.2, which the loader does not find"]
    );
}

#[test]
fn separate_debugging_information_is_not_a_program() {
    // Such a file has a section header for code (flags 6) without content in the file (type 8).
    let mut bytes = dynamic(&["libgone.so.1"]).bytes();
    let section_at = bytes.len() as u64;
    bytes.extend([0, 0, 0, 0, 8, 0, 0, 0, 6]);
    bytes.resize(bytes.len() + 55, 0);
    bytes[field::SECTIONS..][..8].copy_from_slice(&section_at.to_le_bytes());
    bytes[field::SECTION_COUNT] = 1;
    let debug = |bytes| Entry("usr/lib/debug/app", EntryType::Regular, 0o644, bytes);
    assert_eq!(faults_with(vec![debug(bytes.clone())]), [""; 0]);
    bytes[field::SECTION_COUNT] = 0;
    assert_eq!(faults_with(vec![debug(bytes)]).len(), 2);
}

#[test]
fn finds_invalid_elf_files() {
    let mut whole = dynamic(&["liba.so"]).bytes();
    whole.truncate(100);
    let cut = Entry("bin/cut", EntryType::Regular, 0o555, whole);
    let head = file("bin/head", "\u{7f}ELF");
    assert_eq!(
        faults_with(vec![cut, head]),
        [
            "/bin/cut: is not a whole ELF file: it is cut off",
            "/bin/head: is not a whole ELF file: it is neither of 32 nor of 64 bits",
        ]
    );
}

#[test]
fn finds_set_id_and_world_writable_modes() {
    let entry = |name, kind, mode| Entry(name, kind, mode, Vec::new());
    assert_eq!(
        faults_with(vec![
            entry("a", EntryType::Regular, 0o666),
            entry("b", EntryType::Directory, 0o777),
            entry("c", EntryType::Directory, 0o1777),
            entry("d", EntryType::Directory, 0o2755),
            entry("e", EntryType::Regular, 0o4755),
            entry("f", EntryType::Regular, 0o2755),
            symlink("g", "a"),
            hard_link("h", "a"),
        ]),
        [
            "/a: can be written by everyone (mode 0666)",
            "/b: can be written by everyone (mode 0777)",
            "/e: runs as its owner, whoever starts it (set-user-ID, mode 4755)",
            "/f: runs as its group, whoever starts it (set-group-ID, mode 2755)",
            "/h: can be written by everyone (mode 0666)",
        ]
    );
}

#[test]
fn finds_devices_symlink_loops_and_path_traversal() {
    assert_eq!(
        faults_with(vec![
            Entry("dev/null", EntryType::Char, 0o666, Vec::new()),
            Entry("dev/sda", EntryType::Block, 0o600, Vec::new()),
            Entry("run/fifo", EntryType::Fifo, 0o600, Vec::new()),
            symlink("x", "y"),
            symlink("y", "x"),
            symlink("to-host", "/proc/mounts"),
            file("/etc/passwd", ""),
            file("a/../../b", ""),
            hard_link("z", "nowhere"),
            file("x/inside", ""),
            file(".wh.", ""),
        ]),
        [
            "/etc/passwd: has an absolute name in its layer",
            "a/../../b: has .. in its name",
            "z: is a hard link to nowhere, which is not a file of the image",
            "x/inside: is a link that leads in a circle",
            ".wh.: is a whiteout of no file",
            "/dev/null: is a character device",
            "/dev/sda: is a block device",
            "/run/fifo: is a FIFO",
            "/x: is a link that leads in a circle",
            "/y: is a link that leads in a circle",
        ]
    );
}

#[test]
fn whiteouts_hide_only_entries_of_lower_layers() {
    let setuid = |name| Entry(name, EntryType::Regular, 0o4755, Vec::new());
    let lower = || {
        vec![
            program("bin/app", static_program()),
            setuid("a/one"),
            setuid("b/two"),
            setuid("c"),
        ]
    };
    let upper = vec![
        setuid("b/new"),
        file("b/.wh..wh..opq", ""),
        file(".wh.c", ""),
        file(".wh.a", ""),
    ];
    let fault = "runs as its owner, whoever starts it (set-user-ID, mode 4755)";
    assert_eq!(
        faults(&image(vec![lower(), upper])),
        [format!("/b/new: {fault}")]
    );
    assert_eq!(
        faults(&image(vec![lower(), vec![file("bin/.wh.app", "")]]))[3..],
        ["/bin/app: is what the image runs, and is not in it"]
    );
}

#[test]
fn entries_follow_links_of_lower_layers() {
    let config = image(vec![
        vec![symlink("bin", "usr/bin"), symlink("usr/bin", "/opt")],
        vec![
            program("bin/app", static_program()),
            hard_link("bin/b", "bin/app"),
        ],
    ]);
    let report = report(&config);
    assert_eq!(report.findings, []);
    // Two links, and one program under two names.
    assert_eq!(report.files, 4);
}

#[test]
fn finds_entrypoints_that_cannot_start() {
    let what = "is what the image runs, and is";
    for (runtime, fault) in [
        (
            entrypoint(&["/bin/none"]),
            format!("/bin/none: {what} not in it"),
        ),
        (
            entrypoint(&["/bin"]),
            format!("/bin: {what} not a regular file"),
        ),
        (
            entrypoint(&["/bin/data"]),
            format!("/bin/data: {what} not executable (mode 0444)"),
        ),
        (
            entrypoint(&["/bin/text"]),
            format!("/bin/text: {what} neither an ELF program nor a script with #!"),
        ),
        (
            entrypoint(&["none"]),
            format!(
                "none: {what} in no directory of its PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)"
            ),
        ),
        (
            entrypoint(&["/bin/bad-script"]),
            "/bin/bad-script: wants the interpreter /bin/perl, which is not in the image"
                .to_owned(),
        ),
    ] {
        let mut config = image(vec![vec![
            program("bin/app", static_program()),
            file("bin/data", ""),
            script("bin/text", "echo"),
            script("bin/bad-script", "#! /bin/perl -w\n"),
        ]]);
        config.runtime = runtime;
        assert_eq!(faults(&config), [fault]);
    }
}

#[test]
fn resolves_the_entrypoint_as_an_engine_does() {
    let mut in_path = entrypoint(&["app"]);
    in_path.env = vec!["PATH=/none:/bin".to_owned()];
    let mut relative = entrypoint(&["./app"]);
    relative.working_dir = Some("/bin".to_owned());
    let command = RuntimeConfig {
        cmd: vec!["/bin/app".to_owned()],
        ..RuntimeConfig::default()
    };
    for runtime in [
        in_path,
        relative,
        command,
        entrypoint(&["/link"]),
        entrypoint(&["/bin/script"]),
        entrypoint(&["sh"]),
    ] {
        let mut config = image(vec![vec![
            program("bin/app", static_program()),
            symlink("link", "bin/app"),
            script("bin/script", "#!/bin/app -x\n"),
            symlink("bin/sh", "/link"),
        ]]);
        config.runtime = runtime;
        assert_eq!(faults(&config), [""; 0]);
    }
    let mut nothing = image(vec![]);
    nothing.runtime = RuntimeConfig::default();
    assert_eq!(report(&nothing).entrypoint, None);
}

#[test]
fn file_names_are_escaped_for_the_terminal() {
    let evil = "\u{1b}[2Jx\n";
    let entry = Entry(evil, EntryType::Regular, 0o4755, Vec::new());
    assert_eq!(
        faults_with(vec![entry]),
        [r"/\u{1b}[2Jx\n: runs as its owner, whoever starts it (set-user-ID, mode 4755)"]
    );
}

#[test]
fn finds_blobs_that_do_not_match_the_image() {
    let config = image(vec![vec![program("bin/app", static_program())]]);
    let broken = |change: &dyn Fn(&std::path::Path)| {
        let (layout, _place) = config.layout();
        let image = layout.images().unwrap().remove(0);
        let (layer, _) = image.layers().next().unwrap();
        change(&layout.blob_path(layer));
        let found = verify(&layout, None).unwrap().remove(0).findings;
        let digest = layer.digest.to_string();
        let lines = found.iter().map(|finding| finding.to_string());
        lines
            .map(|line| line.replace(&digest, "D"))
            .collect::<Vec<_>>()
    };
    let size = tar(&config.layers[0]).len();
    assert_eq!(
        broken(&|blob| fs::File::options()
            .write(true)
            .open(blob)
            .unwrap()
            .set_len(512)
            .unwrap()),
        [format!(
            "layer 1: blob D has 512 bytes, its descriptor says {size}; it was cut off or altered, make it anew"
        )]
    );
    let altered = broken(&|blob| {
        let mut bytes = fs::read(blob).unwrap();
        bytes[3] ^= 1;
        fs::write(blob, bytes).unwrap();
    });
    assert!(
        altered[0].starts_with("layer 1: blob D has the digest sha256:"),
        "{altered:?}"
    );
    let missing = broken(&|blob| fs::remove_file(blob).unwrap());
    assert!(
        missing[0].starts_with("layer 1: cannot read "),
        "{missing:?}"
    );
}

#[test]
fn an_unreadable_manifest_does_not_hide_other_images() {
    let (layout, _place) = image(vec![]).layout();
    let mut manifest = layout.top().unwrap().clone();
    manifest.digest = slipway_oci::Digest::of(b"gone");
    let mut index = layout.index().clone();
    index.manifests.insert(0, manifest);
    let text = serde_json::to_vec(&index).unwrap();
    fs::write(layout.directory().join("index.json"), text).unwrap();
    let layout = slipway_oci::Layout::open(layout.directory()).unwrap();
    let reports = verify(&layout, None).unwrap();
    assert_eq!(reports[0].findings[0].fault.name(), "unreadable-blob");
    assert_eq!(reports[1].entrypoint.as_deref(), Some("/bin/app"));
}

#[test]
fn finds_index_entries_with_another_platform() {
    let (layout, _place) = image(vec![vec![program("bin/app", static_program())]]).layout();
    let mut index = layout.index().clone();
    index.manifests[0].platform = Some("linux/arm64".parse().unwrap());
    let text = serde_json::to_vec(&index).unwrap();
    fs::write(layout.directory().join("index.json"), text).unwrap();
    let layout = slipway_oci::Layout::open(layout.directory()).unwrap();
    let findings = verify(&layout, None).unwrap().remove(0).findings;
    assert_eq!(
        findings[0].to_string(),
        "the image: the index says linux/arm64, the image itself linux/amd64"
    );
}

#[test]
fn an_image_may_omit_the_variant_of_its_index_entry() {
    let mut config = image(vec![vec![program("bin/app", static_program())]]);
    config.platform = "linux/amd64";
    let (layout, _place) = config.layout();
    let mut index = layout.index().clone();
    index.manifests[0].platform = Some("linux/amd64/v3".parse().unwrap());
    let text = serde_json::to_vec(&index).unwrap();
    fs::write(layout.directory().join("index.json"), text).unwrap();
    let layout = slipway_oci::Layout::open(layout.directory()).unwrap();
    assert_eq!(verify(&layout, None).unwrap().remove(0).findings, []);
}

#[test]
fn checks_only_the_requested_platform() {
    let (layout, _place) = image(vec![vec![program("bin/app", static_program())]]).layout();
    let of = |platform: &str| verify(&layout, Some(&platform.parse().unwrap()));
    assert_eq!(of("linux/amd64").unwrap().len(), 1);
    let error = of("linux/arm64").unwrap_err().to_string();
    assert!(
        error.ends_with("has no image for linux/arm64; it has linux/amd64"),
        "{error}"
    );
}
