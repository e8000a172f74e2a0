//! Building, and listening to how it goes.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::call::{complaint, without_colours};
use crate::derivation::Plan;
use crate::error::Error;
use crate::nix::Nix;
use crate::path::StorePath;
use crate::progress::Progress;

/// How much of a failed build's log is shown.
const LOG_LINES: usize = 25;

/// Numbers that Nix gives to activities and results in its log (`src/libutil/logging.hh` of Nix).
const ACTIVITY_ALL_BUILDS: u64 = 104;
const ACTIVITY_BUILD: u64 = 105;
const ACTIVITY_WAITING: u64 = 111;
const RESULT_BUILD_LOG_LINE: u64 = 101;
const RESULT_PROGRESS: u64 = 105;
const LEVEL_WARNING: u64 = 1;

/// A derivation that came to be built in this run.
#[derive(Debug)]
pub struct Built {
    pub derivation: StorePath,
    /// From the start of the run until it was there.
    pub after: Duration,
}

impl Nix {
    /// Builds what was planned and gives what had to be built for it.
    ///
    /// When a build fails, the last lines of its log go to `progress`.
    pub fn build(&self, plan: &Plan, progress: &dyn Progress) -> Result<Vec<Built>, Error> {
        let call = self.nix().args(["build", "--no-link"]);
        let call = call.args(["--log-format", "internal-json"]);
        let call = call.args(plan.targets.iter().map(|target| &target.installable));
        self.announce(&call);
        let start = Instant::now();
        let mut child = call.start(Some(self.directory()))?;
        let mut listener = Listener {
            start,
            progress,
            all_builds: None,
            running: HashMap::new(),
            built: vec![],
            errors: vec![],
            failed: None,
        };
        // Nix prints nothing to its standard output here, but a full pipe would stop it.
        let stdout = child.stdout.take();
        let drain = thread::spawn(move || stdout.map(|mut pipe| pipe.read_to_end(&mut Vec::new())));
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line.map_err(|source| Error::Io {
                    program: "nix".into(),
                    source,
                })?;
                listener.hear(&String::from_utf8_lossy(&line));
            }
        }
        let status = child.wait().map_err(|source| Error::Io {
            program: "nix".into(),
            source,
        })?;
        // Its only use is to be emptied.
        let _ = drain.join();
        if !status.success() {
            return Err(listener.into_error());
        }
        let mut built = listener.built;
        for target in &plan.targets {
            let derivation = &target.derivation;
            let missing = plan.to_build.contains(derivation);
            if missing && !built.iter().any(|one| one.derivation == *derivation) {
                // Another process built it while this one waited; when is not told.
                built.push(Built {
                    derivation: derivation.clone(),
                    after: start.elapsed(),
                });
            }
        }
        Ok(built)
    }
}

struct Listener<'a> {
    start: Instant,
    progress: &'a dyn Progress,
    /// The activity that counts derivations.
    all_builds: Option<u64>,
    /// By the number of the activity.
    running: HashMap<u64, Running>,
    built: Vec<Built>,
    errors: Vec<String>,
    /// The first derivation whose build failed.
    failed: Option<(StorePath, String)>,
}

struct Running {
    derivation: StorePath,
    log: VecDeque<String>,
}

impl Listener<'_> {
    /// Takes in a line of Nix's standard error in the form `@nix {json}`.
    fn hear(&mut self, line: &str) {
        let event = line
            .strip_prefix("@nix ")
            .and_then(|json| serde_json::from_str::<Value>(json).ok());
        let Some(event) = event else {
            if !line.is_empty() {
                self.progress.note(&without_colours(line));
            }
            return;
        };
        let id = event["id"].as_u64().unwrap_or_default();
        let first_field = || event["fields"][0].as_str().unwrap_or_default();
        match (
            event["action"].as_str().unwrap_or_default(),
            event["type"].as_u64(),
        ) {
            ("start", Some(ACTIVITY_BUILD)) => {
                if let Ok(derivation) = first_field().parse::<StorePath>() {
                    self.progress.started(&derivation);
                    self.running.insert(
                        id,
                        Running {
                            derivation,
                            log: VecDeque::new(),
                        },
                    );
                }
            }
            ("start", Some(ACTIVITY_ALL_BUILDS)) => self.all_builds = Some(id),
            ("start", Some(ACTIVITY_WAITING)) => {
                let text = without_colours(event["text"].as_str().unwrap_or_default());
                self.progress.note(&text);
            }
            ("result", Some(RESULT_PROGRESS)) if self.all_builds == Some(id) => {
                let number = |at: usize| event["fields"][at].as_u64().unwrap_or_default();
                self.progress.count(number(0), number(1));
            }
            ("result", Some(RESULT_BUILD_LOG_LINE)) => {
                if let Some(running) = self.running.get_mut(&id) {
                    let line = without_colours(first_field());
                    self.progress.log(&running.derivation, &line);
                    running.log.push_back(line);
                    if running.log.len() > LOG_LINES {
                        running.log.pop_front();
                    }
                }
            }
            ("stop", _) => {
                if let Some(running) = self.running.remove(&id) {
                    self.stop(running);
                }
            }
            ("msg", _) => self.message(&event),
            _ => {}
        }
    }

    fn message(&mut self, event: &Value) {
        let text = without_colours(event["msg"].as_str().unwrap_or_default());
        match event["level"].as_u64() {
            Some(0) => self.errors.push(text),
            Some(LEVEL_WARNING) if !text.contains("Git tree") => self.progress.note(&text),
            _ => {}
        }
    }

    fn stop(&mut self, running: Running) {
        // The message comes before the activity stops.
        let path = running.derivation.as_str();
        let error = self.errors.iter().find(|text| {
            text.contains(path)
                && !text.contains("failed to build")
                && !text.contains("dependencies of")
        });
        self.progress.finished(&running.derivation, error.is_some());
        match error {
            Some(error) => {
                for line in &running.log {
                    self.progress.note(&format!("  | {line}"));
                }
                let reason = reason_of(error);
                self.failed.get_or_insert((running.derivation, reason));
            }
            None => self.built.push(Built {
                derivation: running.derivation,
                after: self.start.elapsed(),
            }),
        }
    }

    fn into_error(self) -> Error {
        match self.failed {
            Some((derivation, reason)) => Error::Build(format!(
                "{} could not be built: {reason}; its whole log: nix log {derivation}",
                derivation.name().trim_end_matches(".drv")
            )),
            None => Error::Build(complaint(&self.errors.join("\n"))),
        }
    }
}

/// `builder for '…' failed with exit code 1; last lines: …` → `failed with exit code 1`.
fn reason_of(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let reason = line.rsplit_once("' ").map_or(line, |(_, reason)| reason);
    reason.trim_end_matches([';', ':']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const A: &str = "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a.drv";

    #[derive(Default)]
    struct Told(RefCell<Vec<String>>);

    impl Progress for Told {
        fn count(&self, built: u64, needed: u64) {
            let line = format!("{built} of {needed}");
            self.0.borrow_mut().push(line);
        }
        fn started(&self, derivation: &StorePath) {
            self.0
                .borrow_mut()
                .push(format!("started {}", derivation.name()));
        }
        fn log(&self, _: &StorePath, line: &str) {
            self.0.borrow_mut().push(format!("log {line}"));
        }
        fn finished(&self, derivation: &StorePath, failed: bool) {
            self.0
                .borrow_mut()
                .push(format!("finished {} {failed}", derivation.name()));
        }
        fn note(&self, message: &str) {
            self.0.borrow_mut().push(format!("note {message}"));
        }
    }

    fn listener(told: &Told) -> Listener<'_> {
        Listener {
            start: Instant::now(),
            progress: told,
            all_builds: None,
            running: HashMap::new(),
            built: vec![],
            errors: vec![],
            failed: None,
        }
    }

    #[test]
    fn what_is_built_is_told_as_it_goes() {
        let told = Told::default();
        let mut listener = listener(&told);
        listener.hear(&format!(r#"@nix {{"action":"start","id":1,"type":105,"fields":["{A}","",1,1],"level":3,"text":""}}"#));
        listener.hear(r#"@nix {"action":"result","id":1,"type":101,"fields":["compiling"]}"#);
        listener.hear(r#"@nix {"action":"result","id":1,"type":105,"fields":[0,1,0,0]}"#);
        listener.hear(r#"@nix {"action":"start","id":2,"type":104,"text":""}"#);
        listener.hear(r#"@nix {"action":"result","id":2,"type":105,"fields":[1,3,0,0]}"#);
        listener.hear(r#"@nix {"action":"stop","id":1}"#);
        assert_eq!(
            *told.0.borrow(),
            [
                "started a.drv",
                "log compiling",
                "1 of 3",
                "finished a.drv false"
            ]
        );
        assert_eq!(listener.built[0].derivation.as_str(), A);
    }

    #[test]
    fn a_failed_build_ends_with_its_log_and_one_line() {
        let told = Told::default();
        let mut listener = listener(&told);
        listener.hear(&format!(
            r#"@nix {{"action":"start","id":1,"type":105,"fields":["{A}"]}}"#
        ));
        listener.hear(r#"@nix {"action":"result","id":1,"type":101,"fields":["\u001b[31mno such file\u001b[0m"]}"#);
        listener.hear(&format!(
            r#"@nix {{"action":"msg","level":0,"msg":"error: builder for '{A}' failed with exit code 2;\n last 1 log lines:\n > no such file"}}"#
        ));
        listener.hear(r#"@nix {"action":"stop","id":1}"#);
        listener.hear(&format!(
            r#"@nix {{"action":"msg","level":0,"msg":"error: 1 dependencies of derivation '{A}' failed to build"}}"#
        ));
        assert_eq!(told.0.borrow().last().unwrap(), "note   | no such file");
        assert_eq!(
            listener.into_error().to_string(),
            format!("a could not be built: failed with exit code 2; its whole log: nix log {A}")
        );
    }

    #[test]
    fn an_error_before_any_build_is_told_in_one_line() {
        let told = Told::default();
        let mut listener = listener(&told);
        listener.hear(r#"@nix {"action":"msg","level":0,"msg":"error: flake does not provide\n attribute 'x'"}"#);
        assert_eq!(
            listener.into_error().to_string(),
            "Nix: flake does not provide attribute 'x'"
        );
    }
}
