//! Release notes from the messages of commits.

/// A commit since the last release.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Abbreviated hash.
    pub hash: String,
    pub author: String,
    /// The first line of the message.
    pub summary: String,
    /// Whether the rest of the message says `BREAKING CHANGE:`.
    pub is_breaking: bool,
}

/// Headings by the type of a commit. Source: Conventional Commits 1.0.0.
const HEADINGS: [(&str, &str); 4] = [
    ("feat", "Features"),
    ("fix", "Bug fixes"),
    ("perf", "Performance"),
    ("docs", "Documentation"),
];
const BREAKING: &str = "Breaking changes";
const OTHER: &str = "Other changes";

/// Types of commits that users of a program do not notice.
const INTERNAL: [&str; 6] = ["build", "chore", "ci", "refactor", "style", "test"];

/// Release notes in Markdown, grouped by the types of the commits, such as `feat: …`. Commits of
/// other forms are under a last heading. With `authors`, each line names the author.
pub fn notes(title: &str, commits: &[Commit], authors: bool) -> String {
    let mut text = format!("# {title}\n");
    let headings = [BREAKING]
        .into_iter()
        .chain(HEADINGS.map(|(_, heading)| heading))
        .chain([OTHER]);
    for heading in headings {
        let mut under = commits
            .iter()
            .filter_map(|commit| Some((commit, Parsed::of(commit)?)))
            .filter(|(_, parsed)| parsed.heading == heading)
            .peekable();
        if under.peek().is_none() {
            continue;
        }
        text += &format!("\n## {heading}\n\n");
        for (commit, parsed) in under {
            let scope = parsed.scope.map_or(String::new(), |it| format!("{it}: "));
            let author = match authors {
                true => format!(", {}", commit.author),
                false => String::new(),
            };
            text += &format!("- {scope}{} ({}{author})\n", parsed.what, commit.hash);
        }
    }
    text
}

/// A summary, taken apart.
struct Parsed<'a> {
    heading: &'static str,
    scope: Option<&'a str>,
    what: &'a str,
}

impl<'a> Parsed<'a> {
    /// `None` for a commit that users do not notice.
    fn of(commit: &'a Commit) -> Option<Self> {
        let summary = commit.summary.trim();
        let other = Self {
            heading: if commit.is_breaking { BREAKING } else { OTHER },
            scope: None,
            what: summary,
        };
        let Some((prefix, what)) = summary.split_once(": ") else {
            return Some(other);
        };
        let (prefix, is_breaking) = match prefix.strip_suffix('!') {
            Some(prefix) => (prefix, true),
            None => (prefix, commit.is_breaking),
        };
        let (kind, scope) = match prefix.strip_suffix(')').and_then(|it| it.split_once('(')) {
            Some((kind, scope)) => (kind, Some(scope)),
            None => (prefix, None),
        };
        let heading = HEADINGS.iter().find(|(name, _)| *name == kind);
        let heading = match (is_breaking, heading) {
            (true, _) => BREAKING,
            (false, Some((_, heading))) => heading,
            (false, None) if INTERNAL.contains(&kind) => return None,
            (false, None) => return Some(other),
        };
        Some(Self {
            heading,
            scope,
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_grouped_by_their_types() {
        let commit = |summary: &str| Commit {
            hash: "abc1234".into(),
            author: "Ada".into(),
            summary: summary.into(),
            is_breaking: false,
        };
        let mut commits = [
            "fix(net): retry once",
            "feat: sort names",
            "feat!: drop the option -x",
            "chore: update dependencies",
            "server: listen on IPv6",
            "Merge the parser",
            "fix: read links",
        ]
        .map(commit);
        commits[6].is_breaking = true;
        assert_eq!(
            notes("tool 1.0.0", &commits, false),
            "# tool 1.0.0\n\
             \n## Breaking changes\n\n- drop the option -x (abc1234)\n- read links (abc1234)\n\
             \n## Features\n\n- sort names (abc1234)\n\
             \n## Bug fixes\n\n- net: retry once (abc1234)\n\
             \n## Other changes\n\n- server: listen on IPv6 (abc1234)\n- Merge the parser (abc1234)\n"
        );
        let with_authors = notes("tool 1.0.0", &commits[1..2], true);
        assert!(with_authors.ends_with("- sort names (abc1234, Ada)\n"));
    }
}
