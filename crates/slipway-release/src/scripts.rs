//! Scripts that run when a package is installed and removed: the project's, and those that a
//! package with systemd units needs.
//!
//! Sources: Debian Policy, chapter 6; deb-systemd-helper(1p) and deb-systemd-invoke(1p); RPM's
//! "Scriptlets"; daemon(7), "Installing systemd Service Files".

use std::collections::BTreeMap;

use crate::{Error, Files, Result};

/// The directory of units in packages, with a slash after it.
const UNITS: &str = "usr/lib/systemd/system/";

/// Types of units that have files. Source: systemd.unit(5).
const UNIT_TYPES: [&str; 9] = [
    "automount",
    "mount",
    "path",
    "service",
    "slice",
    "socket",
    "swap",
    "target",
    "timer",
];

/// When a script runs, in Debian's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Preinst,
    Postinst,
    Prerm,
    Postrm,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [Self::Preinst, Self::Postinst, Self::Prerm, Self::Postrm];

    /// The name of the script in a package of Debian.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Preinst => "preinst",
            Self::Postinst => "postinst",
            Self::Prerm => "prerm",
            Self::Postrm => "postrm",
        }
    }
}

/// Scripts by when they run.
pub type Scripts = BTreeMap<Step, Script>;

/// A script with its interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Path and arguments.
    pub(crate) interpreter: String,
    /// What follows the first line.
    pub(crate) body: String,
}

impl Script {
    /// Takes a script apart. Fails if its first line names no interpreter.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        let interpreter = first.strip_prefix("#!").map(str::trim);
        match interpreter.filter(|it| it.starts_with('/')) {
            Some(interpreter) => Ok(Self {
                interpreter: interpreter.to_owned(),
                body: body.to_owned(),
            }),
            None => Err(Error::NoInterpreter(name.to_owned())),
        }
    }

    /// Whether lines of shell can be added.
    pub fn is_shell(&self) -> bool {
        let mut words = self.interpreter.split(['/', ' ']);
        words.any(is_shell)
    }

    /// The shell's options, each with a space after it.
    pub(crate) fn flags(&self) -> String {
        let words = self.interpreter.split(['/', ' ']);
        let flags = words.skip_while(|word| !is_shell(word)).skip(1);
        flags.fold(String::new(), |text, flag| text + flag + " ")
    }

    pub(crate) fn text(&self) -> String {
        format!("#!{}\n{}", self.interpreter, self.body)
    }

    /// The project's script of a step, with lines of shell for the package's units. `None` if there
    /// is neither.
    pub(crate) fn with_lines(scripts: &Scripts, step: Step, lines: &str) -> Option<Self> {
        let own = scripts.get(&step);
        if lines.is_empty() {
            return own.cloned();
        }
        let Some(Self { interpreter, body }) = own else {
            return Some(Self {
                interpreter: "/bin/sh".to_owned(),
                body: format!("set -e\n{lines}"),
            });
        };
        let body = match step {
            // Services stop before the script removes what they use.
            Step::Preinst | Step::Prerm => format!("{lines}{body}"),
            // In a subshell, since it may end with `exit`. `true` is for a script of comments only.
            Step::Postinst | Step::Postrm => format!(
                "(\ntrue\n{}\n)\nstatus=$?\n[ \"$status\" = 0 ] || exit \"$status\"\n{lines}",
                body.trim_end()
            ),
        };
        Some(Self {
            interpreter: interpreter.clone(),
            body,
        })
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word, "sh" | "bash" | "dash")
}

/// The path in a package of a unit with this file name.
pub fn unit_path(name: &str) -> Result<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    match name.rsplit_once('.') {
        Some((stem, kind))
            if !stem.is_empty() && UNIT_TYPES.contains(&kind) && name.chars().all(is_part) =>
        {
            Ok(format!("{UNITS}{name}"))
        }
        _ => Err(Error::Unit(name.to_owned())),
    }
}

/// The systemd units of a package, in words of shell.
pub(crate) struct Units {
    /// Those that can be enabled.
    enabled: String,
    /// Those that may run, with a pattern for the instances of each template.
    running: String,
}

impl Units {
    /// `None` if a package has no units.
    pub fn of(files: &Files) -> Option<Self> {
        let quoted = |name: &str| format!(" '{name}'");
        let (mut enabled, mut running) = (String::new(), String::new());
        for (path, file) in files.iter() {
            let Some(name) = path.strip_prefix(UNITS) else {
                continue;
            };
            let text = String::from_utf8_lossy(&file.content);
            let has_install = text.lines().any(|line| line.trim() == "[Install]");
            if has_install && !name.contains("@.") {
                enabled += &quoted(name);
            }
            running += &quoted(&name.replace("@.", "@*."));
        }
        (!running.is_empty()).then_some(Self { enabled, running })
    }

    /// What a script of Debian does. As usual there, a unit is enabled and started when it is first
    /// installed, unless the administrator or `policy-rc.d` says otherwise.
    pub fn debian(&self, step: Step) -> String {
        let Self { enabled, running } = self;
        match step {
            Step::Preinst => String::new(),
            Step::Postinst => format!(
                r#"case "$1" in
  configure | abort-upgrade | abort-deconfigure | abort-remove)
    for unit in{enabled}; do
      deb-systemd-helper unmask "$unit" >/dev/null || true
      if deb-systemd-helper --quiet was-enabled "$unit"; then
        deb-systemd-helper enable "$unit" >/dev/null || true
      else
        deb-systemd-helper update-state "$unit" >/dev/null || true
      fi
    done
    if [ -d /run/systemd/system ]; then
      systemctl --system daemon-reload >/dev/null || true
      # An upgrade gives the version before, and restarts.
      deb-systemd-invoke "${{2:+re}}start"{running} >/dev/null || true
    fi
    ;;
esac
"#
            ),
            Step::Prerm => format!(
                r#"if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop{running} >/dev/null || true
fi
"#
            ),
            Step::Postrm => format!(
                r#"if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ] && command -v deb-systemd-helper >/dev/null; then
  for unit in{enabled}; do
    deb-systemd-helper purge "$unit" >/dev/null || true
  done
fi
"#
            ),
        }
    }

    /// What a scriptlet of RPM does. The distribution's presets decide whether a unit is enabled.
    /// Without systemd, and without units that can be enabled, systemctl fails, which does no harm.
    pub fn rpm(&self, step: Step) -> String {
        let Self { enabled, running } = self;
        match step {
            Step::Preinst => String::new(),
            Step::Postinst => format!(
                r#"systemctl daemon-reload >/dev/null 2>&1 || :
if [ "$1" -eq 1 ]; then
  systemctl --no-reload preset{enabled} >/dev/null 2>&1 || :
fi
"#
            ),
            Step::Prerm => format!(
                r#"if [ "$1" -eq 0 ]; then
  systemctl --no-reload disable{enabled} >/dev/null 2>&1 || :
  systemctl stop{running} >/dev/null 2>&1 || :
fi
"#
            ),
            Step::Postrm => format!(
                r#"systemctl daemon-reload >/dev/null 2>&1 || :
if [ "$1" -ge 1 ]; then
  systemctl try-restart{running} >/dev/null 2>&1 || :
fi
"#
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::File;

    #[test]
    fn units_have_a_type_and_no_odd_characters() {
        for name in ["tool.service", "tool@.timer", "dev-a\\x2db.mount"] {
            assert!(unit_path(name).is_ok(), "{name}");
        }
        for name in [
            "tool",
            ".service",
            "tool.conf",
            "to ol.service",
            "t'.service",
        ] {
            assert!(unit_path(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_script_that_exits_does_not_skip_the_lines_for_units() {
        for (body, printed, code) in [
            ("exit 0", "lines\n", 0),
            ("# nothing", "lines\n", 0),
            ("echo own; exit 3", "own\n", 3),
            ("set -e\nfalse\necho own", "", 1),
        ] {
            let own = Script::parse("postinst", &format!("#!/bin/sh\n{body}")).unwrap();
            let scripts = Scripts::from([(Step::Postinst, own)]);
            let script = Script::with_lines(&scripts, Step::Postinst, "echo lines\n").unwrap();
            let ran = Command::new("sh").arg("-c").arg(script.body).output();
            let ran = ran.unwrap();
            assert_eq!(String::from_utf8_lossy(&ran.stdout), printed, "{body}");
            assert_eq!(ran.status.code(), Some(code), "{body}");
        }
    }

    #[test]
    fn only_units_that_can_be_enabled_are_enabled() {
        let mut files = Files::default();
        for (name, text) in [
            ("a.timer", "[Timer]\n[Install]\nWantedBy=timers.target\n"),
            ("a.service", "[Service]\n"),
            ("a@.service", "[Service]\n[Install]\n"),
        ] {
            let path = unit_path(name).unwrap();
            files.add("tool", path, File::text(text)).unwrap();
        }
        let units = Units::of(&files).unwrap();
        assert_eq!(units.enabled, " 'a.timer'");
        assert_eq!(units.running, " 'a.service' 'a.timer' 'a@*.service'");
        assert!(Units::of(&Files::default()).is_none());
    }

    #[test]
    fn scripts_name_an_interpreter() {
        let script = Script::parse("it", "#! /usr/bin/env bash\necho\n").unwrap();
        assert_eq!(script.interpreter, "/usr/bin/env bash");
        assert!(script.is_shell());
        let script = Script::parse("it", "#!/bin/sh -e").unwrap();
        assert_eq!(script.flags(), "-e ");
        assert!(
            !Script::parse("it", "#!/usr/bin/python3\n")
                .unwrap()
                .is_shell()
        );
        assert!(Script::parse("it", "echo\n").is_err());
    }
}
