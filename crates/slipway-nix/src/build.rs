//! Runs builds and reports their progress, from Nix's JSON log.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::call::{error_message, without_colours};
use crate::derivation::Plan;
use crate::error::Error;
use crate::nix::Nix;
use slipway_progress::Progress;
use slipway_store_path::StorePath;

/// Most lines of a failed build's log that are shown.
const LOG_LINES: usize = 25;

/// Numbers of activities, results and levels in Nix's log. Source: Nix, `src/libutil/logging.hh`.
const ACTIVITY_ALL_BUILDS: u64 = 104;
const ACTIVITY_BUILD: u64 = 105;
const ACTIVITY_WAITING: u64 = 111;
const RESULT_BUILD_LOG_LINE: u64 = 101;
const RESULT_PROGRESS: u64 = 105;
const LEVEL_WARNING: u64 = 1;

/// A derivation that was built in this run.
#[derive(Debug)]
pub struct Built {
    pub derivation: StorePath,
    /// Time from the start of the run to the end of the build.
    pub after: Duration,
}

impl Nix {
    /// Builds a plan. Returns the derivations that were built.
    ///
    /// It builds the plan's derivations and does not evaluate the installables again, so sources
    /// that changed since then do not matter.
    ///
    /// When a build fails, the last lines of its log are sent to `progress`.
    pub fn build(&self, plan: &Plan, progress: &dyn Progress) -> Result<Vec<Built>, Error> {
        let call = self.nix().args(["build", "--no-link"]);
        let call = call.args(["--log-format", "internal-json"]);
        let derivations = plan.targets.iter().map(|target| &target.derivation);
        let call = call.args(derivations.map(|it| self.output_of(it)));
        self.announce(&call);
        let start = Instant::now();
        let mut child = call.start(Some(self.directory()))?;
        let mut listener = Listener {
            start,
            progress,
            all_builds: None,
            running: HashMap::new(),
            built: vec![],
            stopped: vec![],
            errors: vec![],
            failed: None,
        };
        // Nix prints nothing to standard output here, but a full pipe would block it.
        let stdout = child.stdout.take();
        let drain = thread::spawn(move || stdout.map(|mut pipe| pipe.read_to_end(&mut Vec::new())));
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line.map_err(|source| Error::Io {
                    program: "nix".into(),
                    source,
                })?;
                listener.handle_line(&String::from_utf8_lossy(&line));
            }
        }
        let status = child.wait().map_err(|source| Error::Io {
            program: "nix".into(),
            source,
        })?;
        // The output is not used.
        let _ = drain.join();
        if !status.success() {
            listener.fail_silently(|derivation| {
                let mut targets = plan.targets.iter();
                targets.any(|it| it.derivation == *derivation && !it.output.as_path().exists())
            });
            return Err(listener.into_error());
        }
        let mut built = listener.built;
        for target in &plan.targets {
            let derivation = &target.derivation;
            let missing = plan.to_build.contains(derivation);
            if missing && !built.iter().any(|one| one.derivation == *derivation) {
                // Another process built it while this one waited; Nix does not report when.
                built.push(Built {
                    derivation: derivation.clone(),
                    after: start.elapsed(),
                });
            }
        }
        Ok(built)
    }
}

impl Nix {
    /// The log of the last build of a derivation.
    pub fn log(&self, derivation: &StorePath) -> Result<String, Error> {
        let call = self.nix().args(["log", derivation.as_str()]);
        let (stdout, _) = self.text(&call)?;
        Ok(without_colours(&stdout))
    }
}

/// The name of a derivation as shown to users.
fn title(derivation: &StorePath) -> &str {
    derivation.name().trim_end_matches(".drv")
}

struct Listener<'a> {
    start: Instant,
    progress: &'a dyn Progress,
    /// The activity that counts derivations.
    all_builds: Option<u64>,
    /// Running builds by activity number.
    running: HashMap<u64, Running>,
    built: Vec<Built>,
    /// Builds that ended without an error so far.
    stopped: Vec<Running>,
    errors: Vec<String>,
    /// The first derivation whose build failed, with the reason.
    failed: Option<(StorePath, String)>,
}

struct Running {
    /// The number of the activity.
    id: u64,
    derivation: StorePath,
    log: VecDeque<String>,
}

impl Listener<'_> {
    /// Handles a line of Nix's standard error in the form `@nix {json}`.
    fn handle_line(&mut self, line: &str) {
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
                    self.progress.step_started(id, title(&derivation));
                    self.running.insert(
                        id,
                        Running {
                            id,
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
                self.progress.steps(number(0), number(1));
            }
            ("result", Some(RESULT_BUILD_LOG_LINE)) => {
                if let Some(running) = self.running.get_mut(&id) {
                    let line = without_colours(first_field());
                    self.progress.step_output(id, &line);
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
            Some(0) => {
                self.fail_late(&text);
                self.errors.push(text);
            }
            Some(LEVEL_WARNING) if !text.contains("Git tree") => self.progress.note(&text),
            _ => {}
        }
    }

    fn stop(&mut self, running: Running) {
        // For a dependency, the error message precedes the end of the activity.
        let mut errors = self.errors.iter();
        let error = errors.find(|text| is_failure_of(text, &running.derivation));
        let how = if error.is_some() { "failed" } else { "built" };
        self.progress.step_ended(running.id, how);
        match error.map(|text| reason_of(text)) {
            Some(reason) => self.fail(running, reason),
            None => {
                self.built.push(Built {
                    derivation: running.derivation.clone(),
                    after: self.start.elapsed(),
                });
                self.stopped.push(running);
            }
        }
    }

    /// For the derivation that was requested, the error message follows the end of the activity.
    fn fail_late(&mut self, error: &str) {
        let mut stopped = self.stopped.iter();
        let at = stopped.position(|running| is_failure_of(error, &running.derivation));
        if let Some(at) = at {
            let running = self.stopped.remove(at);
            self.built
                .retain(|one| one.derivation != running.derivation);
            self.fail(running, reason_of(error));
        }
    }

    /// Nix 2.8 does not say which of several requested derivations failed. It stops the others after
    /// that, so it is the first without its output.
    fn fail_silently(&mut self, lacks_output: impl Fn(&StorePath) -> bool) {
        let mut stopped = self.stopped.iter();
        let at = stopped.position(|running| lacks_output(&running.derivation));
        if let (Some(at), None) = (at, &self.failed) {
            let running = self.stopped.remove(at);
            self.fail(running, "its builder failed".to_owned());
        }
    }

    fn fail(&mut self, running: Running, reason: String) {
        for line in &running.log {
            self.progress.note(&format!("  | {line}"));
        }
        self.failed.get_or_insert((running.derivation, reason));
    }

    fn into_error(self) -> Error {
        match self.failed {
            Some((derivation, reason)) => Error::Build {
                message: format!(
                    "{} could not be built: {reason}; its whole log: nix log {derivation}",
                    title(&derivation)
                ),
                failed: Some(derivation),
            },
            None => Error::Build {
                message: error_message(&self.errors.join("\n")),
                failed: None,
            },
        }
    }
}

fn is_failure_of(error: &str, derivation: &StorePath) -> bool {
    error.contains(derivation.as_str())
        && !error.contains("failed to build")
        && !error.contains("dependencies of")
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
    use std::sync::Mutex;

    const A: &str = "/nix/store/dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a.drv";

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Recorder {
        fn add(&self, line: String) {
            self.0.lock().unwrap().push(line);
        }

        fn lines(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Progress for Recorder {
        fn steps(&self, ended: u64, known: u64) {
            self.add(format!("{ended} of {known}"));
        }
        fn step_started(&self, id: u64, step: &str) {
            self.add(format!("started {step} as {id}"));
        }
        fn step_output(&self, id: u64, line: &str) {
            self.add(format!("output of {id}: {line}"));
        }
        fn step_ended(&self, id: u64, how: &str) {
            self.add(format!("{how} {id}"));
        }
        fn note(&self, message: &str) {
            self.add(format!("note {message}"));
        }
    }

    fn listener(recorder: &Recorder) -> Listener<'_> {
        Listener {
            start: Instant::now(),
            progress: recorder,
            all_builds: None,
            running: HashMap::new(),
            built: vec![],
            stopped: vec![],
            errors: vec![],
            failed: None,
        }
    }

    #[test]
    fn a_failure_that_nix_does_not_name_is_that_of_the_first_without_output() {
        let recorder = Recorder::default();
        let mut listener = listener(&recorder);
        let derivations = [
            A.replace("-a.drv", "-fine.drv"),
            A.to_owned(),
            A.replace("-a.drv", "-late.drv"),
        ];
        for (id, derivation) in derivations.iter().enumerate() {
            listener.handle_line(&format!(
                r#"@nix {{"action":"start","id":{id},"type":105,"fields":["{derivation}","",1,1]}}"#
            ));
        }
        listener.handle_line(r#"@nix {"action":"result","id":1,"type":101,"fields":["bad"]}"#);
        for id in 0..3 {
            listener.handle_line(&format!(r#"@nix {{"action":"stop","id":{id}}}"#));
        }
        listener.handle_line(r#"@nix {"action":"msg","level":0,"msg":"error: "}"#);
        listener.fail_silently(|derivation| derivation.as_str() != derivations[0]);
        let error = listener.into_error().to_string();
        assert!(
            error.starts_with("a could not be built: its builder failed"),
            "{error}"
        );
        assert!(recorder.lines().contains(&"note   | bad".to_owned()));
    }

    #[test]
    fn reports_the_progress_of_builds() {
        let recorder = Recorder::default();
        let mut listener = listener(&recorder);
        listener.handle_line(&format!(r#"@nix {{"action":"start","id":1,"type":105,"fields":["{A}","",1,1],"level":3,"text":""}}"#));
        listener
            .handle_line(r#"@nix {"action":"result","id":1,"type":101,"fields":["compiling"]}"#);
        listener.handle_line(r#"@nix {"action":"result","id":1,"type":105,"fields":[0,1,0,0]}"#);
        listener.handle_line(r#"@nix {"action":"start","id":2,"type":104,"text":""}"#);
        listener.handle_line(r#"@nix {"action":"result","id":2,"type":105,"fields":[1,3,0,0]}"#);
        listener.handle_line(r#"@nix {"action":"stop","id":1}"#);
        assert_eq!(
            recorder.lines(),
            [
                "started a as 1",
                "output of 1: compiling",
                "1 of 3",
                "built 1"
            ]
        );
        assert_eq!(listener.built[0].derivation.as_str(), A);
    }

    #[test]
    fn a_failed_build_shows_its_log_and_a_one_line_error() {
        let recorder = Recorder::default();
        let mut listener = listener(&recorder);
        listener.handle_line(&format!(
            r#"@nix {{"action":"start","id":1,"type":105,"fields":["{A}"]}}"#
        ));
        listener.handle_line(r#"@nix {"action":"result","id":1,"type":101,"fields":["\u001b[31mno such file\u001b[0m"]}"#);
        listener.handle_line(&format!(
            r#"@nix {{"action":"msg","level":0,"msg":"error: builder for '{A}' failed with exit code 2;\n last 1 log lines:\n > no such file"}}"#
        ));
        listener.handle_line(r#"@nix {"action":"stop","id":1}"#);
        listener.handle_line(&format!(
            r#"@nix {{"action":"msg","level":0,"msg":"error: 1 dependencies of derivation '{A}' failed to build"}}"#
        ));
        assert_eq!(recorder.lines().last().unwrap(), "note   | no such file");
        assert_eq!(
            listener.into_error().to_string(),
            format!("a could not be built: failed with exit code 2; its whole log: nix log {A}")
        );
    }

    #[test]
    fn a_failure_reported_after_the_activity_ended_counts() {
        let recorder = Recorder::default();
        let mut listener = listener(&recorder);
        listener.handle_line(&format!(
            r#"@nix {{"action":"start","id":1,"type":105,"fields":["{A}"]}}"#
        ));
        listener
            .handle_line(r#"@nix {"action":"result","id":1,"type":101,"fields":["no such file"]}"#);
        listener.handle_line(r#"@nix {"action":"stop","id":1}"#);
        listener.handle_line(&format!(
            r#"@nix {{"action":"msg","level":0,"msg":"error: builder for '{A}' failed with exit code 1"}}"#
        ));
        assert!(listener.built.is_empty());
        assert_eq!(recorder.lines().last().unwrap(), "note   | no such file");
        assert_eq!(
            listener.into_error().to_string(),
            format!("a could not be built: failed with exit code 1; its whole log: nix log {A}")
        );
    }

    #[test]
    fn an_evaluation_error_is_one_line() {
        let recorder = Recorder::default();
        let mut listener = listener(&recorder);
        listener.handle_line(r#"@nix {"action":"msg","level":0,"msg":"error: flake does not provide\n attribute 'x'"}"#);
        assert_eq!(
            listener.into_error().to_string(),
            "Nix: flake does not provide attribute 'x'"
        );
    }
}
