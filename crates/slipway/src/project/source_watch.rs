//! Waits until a source file of the project changes.
//!
//! Only directories that contain files which Nix reads are watched, because the build output of cargo
//! has thousands of others. An event only says that something happened in a directory. Whether the
//! sources changed is seen from the files, since editors write and rename files in many ways.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::project::source_tree;

/// How long nothing happens after the last file of a save.
const QUIET: Duration = Duration::from_millis(50);
/// How long to wait for that at most, because a program may write into the directory all the time.
const LONGEST: Duration = Duration::from_secs(1);

/// The sources as they were when the watch started.
pub struct SourceWatch {
    root: PathBuf,
    inotify: File,
    state: Vec<(PathBuf, Option<State>)>,
}

/// What tells two versions of a file apart: modification time in seconds and nanoseconds, inode and
/// size.
type State = (i64, i64, u64, u64);

impl SourceWatch {
    /// Starts to watch the sources of a project. What changes from then on ends [`Self::wait`].
    pub fn start(root: &Path) -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .context("the kernel does not watch files")?;
        let mut watch = Self {
            root: root.to_owned(),
            inotify: File::from(inotify),
            state: Vec::new(),
        };
        // Watch first, so that no change is missed.
        watch.watch_directories()?;
        watch.state = state(root)?;
        Ok(watch)
    }

    /// Blocks until a file changes, appears or is removed, and no other follows.
    pub fn wait(mut self) -> Result<()> {
        while state(&self.root)? == self.state {
            self.wait_for_event(None)?;
            let start = Instant::now();
            while start.elapsed() < LONGEST && self.wait_for_event(Some(QUIET))? {}
            // Watch directories that are new, too.
            self.watch_directories()?;
        }
        Ok(())
    }

    fn watch_directories(&self) -> Result<()> {
        let events = WatchFlags::ATTRIB
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::MOVE;
        let sources = source_tree::watched(&self.root)?;
        let files = sources.files.iter().filter_map(|file| file.parent());
        let directories: BTreeSet<&Path> = files
            .chain([&*self.root])
            .chain(sources.index.as_deref())
            .collect();
        for directory in directories {
            match inotify::add_watch(&self.inotify, directory, events) {
                // A directory that was just removed has no files.
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(Errno::NOSPC) => anyhow::bail!(
                    "the kernel watches no more directories for this user; raise its limit: sysctl \
                     fs.inotify.max_user_watches=524288"
                ),
                Err(error) => {
                    return Err(error).with_context(|| format!("watching {}", directory.display()));
                }
            }
        }
        Ok(())
    }

    /// Waits for an event, and discards it and those that follow at once. Returns false if there is
    /// none in time.
    fn wait_for_event(&mut self, time: Option<Duration>) -> Result<bool> {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        let ready = loop {
            match poll(&mut fds, time.as_ref()) {
                Err(Errno::INTR) => {}
                ready => break ready.context("waiting for files")?,
            }
        };
        if ready == 0 {
            return Ok(false);
        }
        let mut events = [0; 4096];
        loop {
            match self.inotify.read(&mut events) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                read => read.map(drop).context("waiting for files")?,
            }
        }
    }
}

/// The state of each source file. `None` for one that was removed.
fn state(root: &Path) -> Result<Vec<(PathBuf, Option<State>)>> {
    let files = source_tree::watched(root)?.files.into_iter();
    let state = |file: PathBuf| {
        let metadata = file.symlink_metadata().ok();
        let state = metadata.map(|it| (it.mtime(), it.mtime_nsec(), it.ino(), it.size()));
        (file, state)
    };
    Ok(files.map(state).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::project::git::git;

    /// Whether a change of the project ends the watch.
    fn is_noticed(root: &Path, change: impl FnOnce()) -> bool {
        let watch = SourceWatch::start(root).unwrap();
        change();
        // A change that is noticed is there before the wait, so there is no time to wait for.
        state(root).unwrap() != watch.state
    }

    #[test]
    fn wait_ends_after_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        // Nix's sandbox has no git.
        if git(&root, &["--version"]).output().is_err() {
            return;
        }
        let init = git(&root, &["init", "--quiet"]).status();
        assert!(init.unwrap().success());
        fs::create_dir(root.join("src")).unwrap();
        let file = root.join("src/main.rs");
        fs::write(&file, "one").unwrap();
        git(&root, &["add", "--all"]).status().unwrap();
        let watch = SourceWatch::start(&root).unwrap();
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(watch.wait().is_ok()));
        fs::write(root.join("src/untracked"), "").unwrap();
        assert!(ended.recv_timeout(3 * QUIET).is_err());
        fs::write(root.join("new"), "two").unwrap();
        fs::rename(root.join("new"), &file).unwrap();
        assert!(ended.recv_timeout(Duration::from_secs(60)).unwrap());
    }

    #[test]
    fn only_files_that_nix_reads_count() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        // Nix's sandbox has no git.
        if git(root, &["--version"]).output().is_err() {
            return;
        }
        let write = |name: &str, text: &str| {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write(".gitignore", "*.log\n");
        write("src/main.rs", "one");
        assert!(is_noticed(root, || write("src/main.rs", "two!")));
        assert!(is_noticed(root, || write("src/new.rs", "")));
        assert!(is_noticed(root, || fs::remove_file(
            root.join("src/new.rs")
        )
        .unwrap()));
        assert!(!is_noticed(root, || write("src/run.log", "")));
        assert!(!is_noticed(root, || write("target/app", "")));

        git(root, &["init", "--quiet"]).status().unwrap();
        git(root, &["add", "--all"]).status().unwrap();
        assert!(is_noticed(root, || write("src/main.rs", "three")));
        assert!(!is_noticed(root, || write("src/new.rs", "")));
        assert!(is_noticed(root, || {
            git(root, &["add", "src/new.rs"]).status().unwrap();
        }));
    }
}
