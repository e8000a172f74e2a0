//! Package relationships: the `Depends`, `Pre-Depends`, `Provides` and `Conflicts` fields.

use crate::version::Version;

/// Version comparison operators (Debian Policy 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Earlier,
    AtMost,
    Exactly,
    AtLeast,
    Later,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<<" => Self::Earlier,
            "<=" => Self::AtMost,
            "=" => Self::Exactly,
            ">=" => Self::AtLeast,
            ">>" => Self::Later,
            _ => return None,
        })
    }
}

/// One relationship, `name (operator version)`. Architecture qualifiers (`python3:any`) are
/// dropped: a set is resolved for one architecture, and all its packages are of that architecture
/// or `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub name: String,
    pub version: Option<(Operator, Version)>,
}

impl Relation {
    /// Creates a relation that accepts any version.
    pub fn any(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
        }
    }

    /// Reports whether `version` satisfies the relation.
    pub fn accepts(&self, version: &Version) -> bool {
        match &self.version {
            None => true,
            Some((Operator::Earlier, bound)) => version < bound,
            Some((Operator::AtMost, bound)) => version <= bound,
            Some((Operator::Exactly, bound)) => version == bound,
            Some((Operator::AtLeast, bound)) => version >= bound,
            Some((Operator::Later, bound)) => version > bound,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.trim_end().strip_suffix(')')?)),
            None => (text, None),
        };
        let name = name.trim();
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        let version = match rest {
            None => None,
            Some(rest) => {
                let rest = rest.trim();
                let end = rest.find(|c: char| !"<>=".contains(c))?;
                Some((
                    Operator::parse(&rest[..end])?,
                    rest[end..].trim().parse().ok()?,
                ))
            }
        };
        Some(Self {
            name: name.into(),
            version,
        })
    }
}

impl std::fmt::Display for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let Some((operator, version)) = &self.version {
            let operator = match operator {
                Operator::Earlier => "<<",
                Operator::AtMost => "<=",
                Operator::Exactly => "=",
                Operator::AtLeast => ">=",
                Operator::Later => ">>",
            };
            write!(f, " ({operator} {version})")?;
        }
        Ok(())
    }
}

/// Parses a relationship field (Debian Policy 7.1): groups separated by commas, alternatives
/// separated by `|`.
///
/// Returns `None` if the field is malformed.
pub fn parse_field(text: &str) -> Option<Vec<Vec<Relation>>> {
    text.split(',')
        .filter(|group| !group.trim().is_empty())
        .map(|group| {
            group
                .split('|')
                .map(|one| Relation::parse(one.trim()))
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_groups_of_alternatives() {
        let groups =
            parse_field("libc6 (>= 2.38), libgcc-s1 | libgcc1 (<< 1:4), python3:any").unwrap();
        let shown: Vec<Vec<String>> = groups
            .iter()
            .map(|group| group.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(
            shown,
            [
                vec!["libc6 (>= 2.38)"],
                vec!["libgcc-s1", "libgcc1 (<< 1:4)"],
                vec!["python3"]
            ]
        );
    }

    #[test]
    fn compares_versions_with_each_operator() {
        let accepts = |relation: &str, version: &str| {
            parse_field(relation).unwrap()[0][0].accepts(&version.parse().unwrap())
        };
        for (relation, below, same, above) in [
            ("a (<< 2)", true, false, false),
            ("a (<= 2)", true, true, false),
            ("a (= 2)", false, true, false),
            ("a (>= 2)", false, true, true),
            ("a (>> 2)", false, false, true),
            ("a", true, true, true),
        ] {
            let got = (
                accepts(relation, "1"),
                accepts(relation, "2"),
                accepts(relation, "3"),
            );
            assert_eq!(got, (below, same, above), "{relation}");
        }
    }

    #[test]
    fn rejects_malformed_fields() {
        for field in ["a (>= 1", "a (1)", "a (~ 1)", "a b", "| a", "a (>= )"] {
            assert!(parse_field(field).is_none(), "{field}");
        }
    }
}
