//! Caches packed layers. A program changes daily and its dependencies rarely, and the same store
//! paths always give the same layer.
//!
//! The cache is a directory of [`LayerDir`]s. The name of an entry is a digest of everything that
//! its bytes depend on. Processes share the cache without locks: an entry appears atomically, and a
//! missing or broken entry is packed again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use slipway_oci::compression::Method;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Compression, Digest, Error, LayerDir, LayerSource, StorePath};
use slipway_progress::{Progress, Task, count};

/// Version of the packer's output. Raise it when the same paths give different bytes; a test fails
/// then.
const PACKER: u32 = 1;

/// Maximum size in bytes. The least recently used entries are removed first.
const LIMIT: u64 = 10_000_000_000;

/// Age after which an unfinished entry counts as left behind by a killed process.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    pub method: Method,
    pub level: i32,
}

impl Packing {
    /// Checks that the method supports the level.
    pub fn compression(self) -> slipway_oci::Result<Compression> {
        Compression::new(self.method, Some(self.level))
    }
}

/// The store paths of a layer that is to be packed.
pub struct Wanted {
    /// Each path with the hash of its NAR.
    pub paths: Vec<(StorePath, String)>,
    /// Total size of the NARs, in bytes.
    pub size: u64,
}

impl Wanted {
    /// The name of the layer's entry in the cache.
    fn key(&self, packing: Packing) -> Digest {
        let mut lines: Vec<String> = self
            .paths
            .iter()
            .map(|(path, hash)| format!("{path} {hash}\n"))
            .collect();
        lines.sort();
        let Packing { method, level } = packing;
        let head = format!("packer {PACKER}\n{method:?} {level}\n");
        Digest::of((head + &lines.concat()).as_bytes())
    }
}

pub struct LayerCache {
    directory: PathBuf,
}

impl LayerCache {
    /// Opens the cache in this directory, which is created if it does not exist.
    pub fn open(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory).with_context(|| {
            format!(
                "the layer cache {} cannot be made; name another place in XDG_CACHE_HOME",
                directory.display()
            )
        })?;
        Ok(Self { directory })
    }

    /// Returns the layers in the order of `wanted`, and copies each into the layout at
    /// `destination`, which the returned writer finishes.
    ///
    /// Packs an entry again if its blob turns out to be changed or missing.
    pub fn layers(
        &self,
        wanted: &[Wanted],
        packing: Packing,
        progress: &dyn Progress,
        destination: &Path,
    ) -> Result<(LayoutWriter, Vec<LayerDir>)> {
        for _ in 0..=wanted.len() {
            let Some(layers) = self.collect(wanted, packing, progress)? else {
                continue;
            };
            let mut writer = LayoutWriter::create(destination)?;
            let Err(fault) = layers.iter().try_for_each(|layer| writer.add_layer(layer)) else {
                self.trim(wanted, packing);
                return Ok((writer, layers));
            };
            let Some(broken) = layers.iter().find(|layer| is_broken(layer, &fault)) else {
                return Err(fault.into());
            };
            self.discard(broken.blob_path().parent().unwrap_or(&self.directory));
        }
        bail!(
            "layers in {} change while they are read; remove that directory",
            self.directory.display()
        )
    }

    /// Finds layers in the cache, and packs those that are missing. Returns `None` if an entry
    /// disappeared meanwhile.
    fn collect(
        &self,
        wanted: &[Wanted],
        packing: Packing,
        progress: &dyn Progress,
    ) -> Result<Option<Vec<LayerDir>>> {
        let compression = packing.compression()?;
        let places: Vec<PathBuf> = wanted.iter().map(|it| self.place(it, packing)).collect();
        let mut missing: Vec<(&Wanted, &PathBuf)> = wanted
            .iter()
            .zip(&places)
            .filter(|(_, place)| self.find(place).is_none())
            .collect();
        if !missing.is_empty() {
            let bytes = missing.iter().map(|(wanted, _)| wanted.size).sum();
            let layers = count(missing.len(), "layer");
            let what = match wanted.len() - missing.len() {
                0 => layers,
                cached => format!("{layers} ({cached} more from the cache)"),
            };
            progress.start(&Task {
                verb: "packing",
                what: &what,
                bytes,
            });
            // Start with the largest, so that no thread is left alone with it at the end.
            missing.sort_by_key(|(wanted, _)| std::cmp::Reverse(wanted.size));
            let made = in_parallel(packing, &missing, |(wanted, place)| {
                self.make(wanted, place, compression)?;
                progress.advance(wanted.size);
                Ok(())
            });
            progress.end();
            made?;
        }
        Ok(places.iter().map(|place| self.find(place)).collect())
    }

    fn place(&self, wanted: &Wanted, packing: Packing) -> PathBuf {
        self.directory.join(wanted.key(packing).hex())
    }

    /// The entry at `place`, if it is complete. Marks it as used now.
    fn find(&self, place: &Path) -> Option<LayerDir> {
        let layer = LayerDir::open(place).ok()?;
        let blob = File::open(layer.blob_path()).ok()?;
        if blob.metadata().ok()?.len() != layer.layer().size {
            return None;
        }
        // A cache that belongs to another user may be read-only; it is still usable.
        let _ = blob.set_modified(SystemTime::now());
        Some(layer)
    }

    fn make(&self, wanted: &Wanted, place: &Path, compression: Compression) -> Result<()> {
        let paths = wanted.paths.iter().map(|(path, _)| path.clone());
        let source = LayerSource::StorePaths(paths.collect());
        match LayerDir::create(place, &source, compression) {
            Ok(_) => Ok(()),
            // Another process made it meanwhile.
            Err(_) if self.find(place).is_some() => Ok(()),
            Err(Error::Exists(_)) => {
                self.discard(place);
                LayerDir::create(place, &source, compression)?;
                Ok(())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Takes an entry out of the cache atomically, and then deletes it.
    fn discard(&self, place: &Path) {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let away = place.with_file_name(format!(".{name}.{}-gone", std::process::id()));
        // A missing entry is fine. An entry that could not be moved causes an error in the next
        // step.
        if fs::rename(place, &away).is_ok() {
            let _ = fs::remove_dir_all(&away).or_else(|_| fs::remove_file(&away));
        }
    }

    /// Removes entries that were left unfinished, and the least recently used entries until the
    /// cache is below the limit. Ignores errors: a cache that is too large still works.
    fn trim(&self, used: &[Wanted], packing: Packing) {
        let used: BTreeSet<PathBuf> = used.iter().map(|it| self.place(it, packing)).collect();
        self.trim_to(LIMIT, &used);
    }

    fn trim_to(&self, limit: u64, used: &BTreeSet<PathBuf>) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut kept = Vec::new();
        for place in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let blob = fs::metadata(place.join("blob"));
            let found = blob.or_else(|_| fs::metadata(&place));
            let Ok((Ok(time), size)) = found.map(|it| (it.modified(), it.len())) else {
                continue;
            };
            let unfinished = place
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            match unfinished {
                true if time.elapsed().is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_dir_all(&place);
                }
                true => {}
                false => kept.push((time, size, place)),
            }
        }
        kept.sort();
        let mut total: u64 = kept.iter().map(|(_, size, _)| size).sum();
        for (_, size, place) in kept {
            if total > limit && !used.contains(&place) {
                self.discard(&place);
                total -= size;
            }
        }
    }
}

/// Whether the error means that this layer was changed or removed.
fn is_broken(layer: &LayerDir, fault: &Error) -> bool {
    match fault {
        Error::BlobSize { digest, .. } => layer.layer().digest == *digest,
        Error::BlobDigest { expected, .. } => layer.layer().digest == *expected,
        _ => !layer.blob_path().exists(),
    }
}

/// Runs `work` for every job, and stops at the first error. The packer uses all processors except
/// at the beginning and end of each layer, so two jobs run at a time; at levels that need much
/// memory, only one does.
fn in_parallel<T: Sync>(
    packing: Packing,
    jobs: &[T],
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let threads = if packing.level > 9 { 1 } else { 2 };
    let next = AtomicUsize::new(0);
    let fault = Mutex::new(None);
    let run = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(e) = work(job) {
                next.store(jobs.len(), Ordering::Relaxed);
                fault
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .get_or_insert(e);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(run);
        }
    });
    let fault = fault.into_inner();
    match fault.unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKING: Packing = Packing {
        method: Method::Zstd,
        level: 3,
    };

    /// Counts the layers that were packed.
    #[derive(Default)]
    struct Made(AtomicUsize);

    impl Progress for Made {
        fn advance(&self, _: u64) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Fixture {
        directory: tempfile::TempDir,
        cache: LayerCache,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let cache = LayerCache::open(directory.path().join("layers")).unwrap();
            Self { directory, cache }
        }

        fn wanted(&self, name: &str) -> Wanted {
            let path = self
                .directory
                .path()
                .join(format!("{}-{name}", "0".repeat(32)));
            fs::write(&path, name.repeat(1000)).unwrap();
            let path = path.to_str().unwrap().parse().unwrap();
            Wanted {
                paths: vec![(path, format!("hash of {name}"))],
                size: 0,
            }
        }

        /// The number of layers that had to be packed, and the digests of all layers.
        fn pack(&self, wanted: &[Wanted]) -> (usize, Vec<Digest>) {
            let made = Made::default();
            let layout = tempfile::tempdir().unwrap();
            let (_, layers) = self
                .cache
                .layers(wanted, PACKING, &made, &layout.path().join("layout"))
                .unwrap();
            let digests = layers.iter().map(|layer| layer.layer().digest).collect();
            (made.0.into_inner(), digests)
        }

        fn entries(&self) -> BTreeSet<PathBuf> {
            let entries = fs::read_dir(&self.cache.directory).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        }
    }

    #[test]
    fn packs_only_new_layers() {
        let fixture = Fixture::new();
        let first = fixture.pack(&[fixture.wanted("a"), fixture.wanted("b")]);
        assert_eq!(first.0, 2);
        let second = fixture.pack(&[
            fixture.wanted("b"),
            fixture.wanted("a"),
            fixture.wanted("c"),
        ]);
        assert_eq!(second.0, 1);
        assert_eq!(second.1[..2], [first.1[1], first.1[0]]);
    }

    #[test]
    fn key_depends_on_hashes_and_level_but_not_on_the_order_of_paths() {
        let fixture = Fixture::new();
        let [a, b] = ["a", "b"].map(|name| fixture.wanted(name).paths.remove(0));
        let of = |paths: &[&(StorePath, String)]| Wanted {
            paths: paths.iter().map(|it| (*it).clone()).collect(),
            size: 0,
        };
        let key = of(&[&a, &b]).key(PACKING);
        assert_eq!(of(&[&b, &a]).key(PACKING), key);
        let changed = (a.0.clone(), "another".to_owned());
        assert_ne!(of(&[&changed, &b]).key(PACKING), key);
        let smaller = Packing {
            level: 19,
            ..PACKING
        };
        assert_ne!(of(&[&a, &b]).key(smaller), key);
    }

    #[test]
    fn packs_a_broken_entry_again() {
        let fixture = Fixture::new();
        let wanted = [fixture.wanted("a"), fixture.wanted("b")];
        let (_, digests) = fixture.pack(&wanted);
        let place = fixture.cache.place(&wanted[0], PACKING);
        let altered = |blob: Vec<u8>| blob.into_iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
        let breakers: [&dyn Fn(); 5] = [
            &|| fs::write(place.join("blob"), "short").unwrap(),
            &|| {
                let blob = fs::read(place.join("blob")).unwrap();
                fs::write(place.join("blob"), altered(blob)).unwrap();
            },
            &|| fs::remove_file(place.join("blob")).unwrap(),
            &|| fs::write(place.join("layer.json"), "{}").unwrap(),
            &|| {
                fs::remove_dir_all(&place).unwrap();
                fs::write(&place, "a file").unwrap();
            },
        ];
        for breaks in breakers {
            breaks();
            assert_eq!(fixture.pack(&wanted), (1, digests.clone()));
        }
        assert_eq!(fixture.entries().len(), 2);
    }

    #[test]
    fn concurrent_processes_share_one_cache() {
        let fixture = Fixture::new();
        let wanted = ["a", "b", "c", "d"].map(|name| fixture.wanted(name));
        thread::scope(|scope| {
            let pack = || fixture.pack(&wanted).1;
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(pack)).collect();
            let packed: BTreeSet<Vec<Digest>> =
                workers.into_iter().map(|it| it.join().unwrap()).collect();
            assert_eq!(packed.len(), 1);
        });
        assert_eq!(fixture.entries().len(), wanted.len());
    }

    #[test]
    fn removes_the_least_recently_used_entries_above_the_limit() {
        let fixture = Fixture::new();
        let wanted = ["a", "b", "c"].map(|name| fixture.wanted(name));
        fixture.pack(&wanted);
        let places = [0, 1, 2].map(|number| fixture.cache.place(&wanted[number], PACKING));
        for (age, place) in [(1, &places[0]), (2, &places[1]), (3, &places[2])] {
            let blob = File::open(place.join("blob")).unwrap();
            let day = Duration::from_secs(24 * 60 * 60);
            blob.set_modified(SystemTime::now() - age * day).unwrap();
        }
        let size = |place: &PathBuf| fs::metadata(place.join("blob")).unwrap().len();
        let all: u64 = places.iter().map(size).sum();
        fixture.cache.trim_to(all, &BTreeSet::new());
        assert_eq!(fixture.entries().len(), 3);
        fixture.cache.trim_to(all - 1, &BTreeSet::new());
        assert!(!places[2].exists() && places[1].exists());
        fixture
            .cache
            .trim_to(0, &BTreeSet::from([places[1].clone()]));
        assert_eq!(fixture.entries(), BTreeSet::from([places[1].clone()]));
    }

    #[test]
    fn removes_old_entries_of_killed_processes() {
        let fixture = Fixture::new();
        let left = fixture.cache.directory.join(".x.1-0");
        fs::create_dir(&left).unwrap();
        fixture.pack(&[fixture.wanted("a")]);
        assert!(left.exists());
        File::open(&left)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        fixture.pack(&[fixture.wanted("b")]);
        assert!(!left.exists());
    }

    #[test]
    fn packer_version_is_raised_when_its_output_changes() {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let content: String = (0..200_000).map(|number: u32| number.to_string()).collect();
        fs::write(tree.join("numbers"), content).unwrap();
        let digest = |method, level| {
            let packing = Packing { method, level };
            let compression = packing.compression().unwrap();
            let place = directory.path().join(format!("{method:?}"));
            let source = LayerSource::Root(tree.clone());
            let layer = LayerDir::create(&place, &source, compression).unwrap();
            layer.layer().digest.to_string()
        };
        let found = [digest(Method::Zstd, 3), digest(Method::Gzip, 6)];
        assert_eq!(
            found,
            [
                "sha256:f81edbf1b42572421561692cd0be03b5feb1cf7d63f3f4bf1d906f8b2009f5df",
                "sha256:3851127ec377b9ec8e10f2a696747e108ff3c43b1e7191981f9f45b25421eeeb"
            ],
            "layers get other bytes: raise PACKER, and write their digests here"
        );
    }
}
