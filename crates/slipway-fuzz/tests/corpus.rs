//! Replays the corpus of each target and mutations of it. The mutations are the same in each run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;
use rustix::process::{Resource, Rlimit, setrlimit};
use slipway_fuzz::{TARGETS, Target};

/// How many mutated inputs a target gets.
const MUTATIONS: usize = 1000;

/// Limit on the address space of the test, in bytes. A target that believes a size in its input
/// exceeds it. zstd's largest window takes 128 MB.
const MEMORY_LIMIT: u64 = 1 << 30;

/// Values at which parsers of numbers fail.
const NUMBERS: [&[u8]; 8] = [
    b"\0",
    b"-1",
    b"\xff\xff\xff\xff",
    b"\0\0\0\x80",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"18446744073709551615",
    b"9223372036854775808",
    b"77777777777",
];

#[test]
fn targets_survive_their_corpus_and_mutations_of_it() {
    let limit = Rlimit {
        current: Some(MEMORY_LIMIT),
        maximum: Some(MEMORY_LIMIT),
    };
    setrlimit(Resource::As, limit).unwrap();
    for target in TARGETS {
        let seeds = seeds(target);
        for (name, seed) in &seeds {
            run(target, name, seed);
        }
        let mut rng = Rng::with_seed(13);
        for number in 0..MUTATIONS {
            let input = mutation(&mut rng, &seeds);
            run(target, &format!("mutation {number}"), &input);
        }
    }
}

/// The files of a target's corpus, sorted by name.
fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let files = fs::read_dir(directory.join(target.name)).unwrap();
    let mut seeds: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} has no corpus", target.name);
    seeds
}

fn run(target: &Target, name: &str, input: &[u8]) {
    let caught = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(
        caught.is_ok(),
        "target {} fails on {name}: {}",
        target.name,
        input.escape_ascii()
    );
}

/// One of the seeds with a few changes.
fn mutation(rng: &mut Rng, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].1.clone();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=input.len());
        let end = input.len().min(at + rng.usize(..=16));
        match rng.u8(..7) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => input.extend_from_within(at..end),
            3 => drop(input.splice(at..end, NUMBERS[rng.usize(..NUMBERS.len())].to_vec())),
            4 => {
                let other = &seeds[rng.usize(..seeds.len())].1;
                let from = rng.usize(..=other.len());
                input.splice(at.., other[from..].to_vec());
            }
            5 => input[at..end]
                .iter_mut()
                .for_each(|byte| *byte = rng.u8(..)),
            _ => input[at..end]
                .iter_mut()
                .take(1)
                .for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        }
    }
    input
}
