//! Each fault that an image may have is found, and what is right is no fault.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::fs;

use fixture::{
    AARCH64, Elf, Entry, LOADER, Recipe, dynamic, file, fixed, hard_link, image, library, program,
    script, symlink, tar,
};
use slipway_oci::config::Execution;
use slipway_verify::{Report, verify};
use tar::EntryType;

fn report(recipe: &Recipe) -> Report {
    let (layout, _place) = recipe.layout();
    verify(&layout, None).unwrap().remove(0)
}

/// The findings as they are printed.
fn faults(recipe: &Recipe) -> Vec<String> {
    let findings = report(recipe).findings;
    findings.iter().map(|finding| finding.to_string()).collect()
}

/// The findings in an image with these entries and a program that needs none of them.
fn beside_a_program(entries: Vec<Entry>) -> Vec<String> {
    faults(&image(vec![vec![program("bin/app", fixed())], entries]))
}

fn runs(words: &[&str]) -> Execution {
    Execution {
        entrypoint: words.iter().map(|word| word.to_string()).collect(),
        ..Execution::default()
    }
}

fn loader() -> Entry {
    program(
        "lib64/ld-linux-x86-64.so.2",
        library("ld-linux-x86-64.so.2", &[]),
    )
}

#[test]
fn a_sound_image_has_no_faults_and_says_what_was_looked_at() {
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
fn a_program_for_another_machine_is_found() {
    let foreign = Elf {
        machine: AARCH64,
        ..fixed()
    };
    assert_eq!(
        beside_a_program(vec![program("bin/other", foreign)]),
        ["/bin/other: is for linux/arm64, the image for linux/amd64"]
    );
}

#[test]
fn on_a_platform_without_a_known_machine_the_files_must_agree() {
    let unknown = |kind: Elf| Elf {
        machine: 43,
        ..kind
    };
    let mut recipe = image(vec![vec![
        program("bin/app", unknown(fixed())),
        program("bin/b", unknown(fixed())),
    ]]);
    recipe.platform = "linux/sparc64";
    let sound = report(&recipe);
    assert_eq!((sound.findings.len(), sound.machine_known), (0, false));
    recipe.layers.push(vec![program("bin/c", fixed())]);
    assert_eq!(
        faults(&recipe),
        ["/bin/c: is for linux/amd64, the image for ELF machine 43 (64 bits, little-endian)"]
    );
}

#[test]
fn a_missing_interpreter_is_found() {
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
fn a_missing_library_is_found_where_it_is_needed() {
    let recipe = image(vec![vec![
        loader(),
        program("bin/app", dynamic(&["liba.so.1"])),
        program(
            "lib/liba.so.1",
            library("liba.so.1", &["libb.so.2", "libb.so.2"]),
        ),
    ]]);
    assert_eq!(
        faults(&recipe),
        ["/lib/liba.so.1: needs libb.so.2, which the loader does not find"]
    );
}

#[test]
fn a_library_for_another_machine_is_passed_over_and_named() {
    let foreign = Elf {
        machine: AARCH64,
        ..library("liba.so.1", &[])
    };
    let recipe = |good| {
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
    assert_eq!(faults(&recipe(true)), [foreign]);
    assert_eq!(
        faults(&recipe(false)),
        [
            foreign,
            "/bin/app: needs liba.so.1, and /lib64/liba.so.1 is for another machine"
        ]
    );
}

#[test]
fn libraries_are_found_by_runpath_rpath_origin_and_links() {
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
        // The libraries of a library are found by the program's RPATH, not by its RUNPATH.
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
fn libraries_are_found_by_configuration_environment_and_debians_directories() {
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
    environment.execution.env = vec!["LD_LIBRARY_PATH=/none:/opt/a".to_owned()];
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

#[test]
fn what_musl_is_itself_is_not_looked_for() {
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
fn what_no_program_names_needs_only_to_be_somewhere() {
    let plugin = |needed| program("opt/plugin.so", library("", needed));
    let host = || program("srv/libhost.so", library("libhost.so.1", &[]));
    assert_eq!(
        beside_a_program(vec![plugin(&["libhost.so.1"]), host()]),
        [""; 0]
    );
    assert_eq!(
        beside_a_program(vec![plugin(&["libhost.so.2"]), host()]),
        ["/opt/plugin.so: needs libhost.so.2, which the loader does not find"]
    );
}

#[test]
fn a_file_that_only_begins_as_elf_is_found() {
    let mut whole = dynamic(&["liba.so"]).bytes();
    whole.truncate(100);
    let cut = Entry("bin/cut", EntryType::Regular, 0o555, whole);
    let head = file("bin/head", "\u{7f}ELF");
    assert_eq!(
        beside_a_program(vec![cut, head]),
        [
            "/bin/cut: is not a whole ELF file: it is cut off",
            "/bin/head: is not a whole ELF file: it is neither of 32 nor of 64 bits",
        ]
    );
}

#[test]
fn modes_that_lend_rights_are_found() {
    let entry = |name, kind, mode| Entry(name, kind, mode, Vec::new());
    assert_eq!(
        beside_a_program(vec![
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
fn devices_links_in_a_circle_and_names_that_lead_out_are_found() {
    assert_eq!(
        beside_a_program(vec![
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
            "z: is a hard link to nowhere, which is no file of the image",
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
fn whiteouts_hide_what_lower_layers_have_and_nothing_else() {
    let setuid = |name| Entry(name, EntryType::Regular, 0o4755, Vec::new());
    let lower = || {
        vec![
            program("bin/app", fixed()),
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
fn entries_go_where_a_link_of_a_lower_layer_leads() {
    let recipe = image(vec![
        vec![symlink("bin", "usr/bin"), symlink("usr/bin", "/opt")],
        vec![program("bin/app", fixed()), hard_link("bin/b", "bin/app")],
    ]);
    let report = report(&recipe);
    assert_eq!(report.findings, []);
    // Two links and, under two names, a program.
    assert_eq!(report.files, 4);
}

#[test]
fn an_entrypoint_that_cannot_start_is_found() {
    let what = "is what the image runs, and is";
    for (execution, fault) in [
        (runs(&["/bin/none"]), format!("/bin/none: {what} not in it")),
        (runs(&["/bin"]), format!("/bin: {what} not a regular file")),
        (
            runs(&["/bin/data"]),
            format!("/bin/data: {what} not executable (mode 0444)"),
        ),
        (
            runs(&["/bin/text"]),
            format!("/bin/text: {what} neither an ELF program nor a script with #!"),
        ),
        (
            runs(&["none"]),
            format!(
                "none: {what} in no directory of its PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)"
            ),
        ),
        (
            runs(&["/bin/bad-script"]),
            "/bin/bad-script: wants the interpreter /bin/perl, which is not in the image"
                .to_owned(),
        ),
    ] {
        let mut recipe = image(vec![vec![
            program("bin/app", fixed()),
            file("bin/data", ""),
            script("bin/text", "echo"),
            script("bin/bad-script", "#! /bin/perl -w\n"),
        ]]);
        recipe.execution = execution;
        assert_eq!(faults(&recipe), [fault]);
    }
}

#[test]
fn an_entrypoint_is_found_as_an_engine_finds_it() {
    let mut in_path = runs(&["app"]);
    in_path.env = vec!["PATH=/none:/bin".to_owned()];
    let mut relative = runs(&["./app"]);
    relative.working_dir = Some("/bin".to_owned());
    let command = Execution {
        cmd: vec!["/bin/app".to_owned()],
        ..Execution::default()
    };
    for execution in [
        in_path,
        relative,
        command,
        runs(&["/link"]),
        runs(&["/bin/script"]),
        runs(&["sh"]),
    ] {
        let mut recipe = image(vec![vec![
            program("bin/app", fixed()),
            symlink("link", "bin/app"),
            script("bin/script", "#!/bin/app -x\n"),
            symlink("bin/sh", "/link"),
        ]]);
        recipe.execution = execution;
        assert_eq!(faults(&recipe), [""; 0]);
    }
    let mut nothing = image(vec![]);
    nothing.execution = Execution::default();
    assert_eq!(report(&nothing).entrypoint, None);
}

#[test]
fn names_of_files_cannot_write_to_the_terminal() {
    let evil = "\u{1b}[2Jx\n";
    let entry = Entry(evil, EntryType::Regular, 0o4755, Vec::new());
    assert_eq!(
        beside_a_program(vec![entry]),
        [r"/\u{1b}[2Jx\n: runs as its owner, whoever starts it (set-user-ID, mode 4755)"]
    );
}

#[test]
fn blobs_that_are_not_what_the_image_says_are_found() {
    let recipe = image(vec![vec![program("bin/app", fixed())]]);
    let broken = |change: &dyn Fn(&std::path::Path)| {
        let (layout, _place) = recipe.layout();
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
    let size = tar(&recipe.layers[0]).len();
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
fn a_manifest_that_cannot_be_read_does_not_hide_the_other_images() {
    let (layout, _place) = image(vec![]).layout();
    let mut manifest = layout.top().unwrap().clone();
    manifest.digest = slipway_oci::Digest::of(b"gone");
    let mut index = layout.index().clone();
    index.manifests.insert(0, manifest);
    let text = serde_json::to_vec(&index).unwrap();
    fs::write(layout.directory().join("index.json"), text).unwrap();
    let layout = slipway_oci::Layout::open(layout.directory()).unwrap();
    let reports = verify(&layout, None).unwrap();
    assert_eq!(reports[0].findings[0].fault.name(), "unreadable");
    assert_eq!(reports[1].entrypoint.as_deref(), Some("/bin/app"));
}

#[test]
fn an_index_that_names_another_platform_is_found() {
    let (layout, _place) = image(vec![vec![program("bin/app", fixed())]]).layout();
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
fn an_image_may_leave_out_the_variant_that_its_index_names() {
    let mut recipe = image(vec![vec![program("bin/app", fixed())]]);
    recipe.platform = "linux/amd64";
    let (layout, _place) = recipe.layout();
    let mut index = layout.index().clone();
    index.manifests[0].platform = Some("linux/amd64/v3".parse().unwrap());
    let text = serde_json::to_vec(&index).unwrap();
    fs::write(layout.directory().join("index.json"), text).unwrap();
    let layout = slipway_oci::Layout::open(layout.directory()).unwrap();
    assert_eq!(verify(&layout, None).unwrap().remove(0).findings, []);
}

#[test]
fn only_the_platform_that_is_asked_for_is_looked_at() {
    let (layout, _place) = image(vec![vec![program("bin/app", fixed())]]).layout();
    let of = |platform: &str| verify(&layout, Some(&platform.parse().unwrap()));
    assert_eq!(of("linux/amd64").unwrap().len(), 1);
    let error = of("linux/arm64").unwrap_err().to_string();
    assert!(
        error.ends_with("has no image for linux/arm64; it has linux/amd64"),
        "{error}"
    );
}
