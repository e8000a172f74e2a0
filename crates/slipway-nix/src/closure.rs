//! What a store path needs to run is what it refers to, and only Nix knows that.

use std::fs;
use std::path::{Component, Path};

use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::nix::Nix;
use crate::path::StorePath;

/// A path of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo {
    pub path: StorePath,
    /// The paths that it refers to; it may be one of them.
    pub references: Vec<StorePath>,
    /// Of its NAR, as this version of Nix writes it: the same text, the same content.
    pub nar_hash: String,
    /// Of its NAR, in bytes.
    pub nar_size: u64,
}

/// As many links as the kernel follows (Linux, path_resolution(7)).
const LINKS: usize = 40;

impl Nix {
    /// The store path that `path` is, or is a link to, such as `./result`.
    pub fn store_path(&self, path: &Path) -> Result<StorePath, Error> {
        let io = |source| Error::Path {
            path: path.display().to_string(),
            source,
        };
        let store = Path::new(&self.store);
        let mut at = self.directory().join(path);
        for _ in 0..LINKS {
            if let Some(found) = in_store(store, &at) {
                return found;
            }
            // A link in the store is content: those that lead there are followed, and no more.
            let Ok(target) = fs::read_link(&at) else {
                break;
            };
            at = at.parent().unwrap_or(Path::new("/")).join(target);
        }
        let at = at.canonicalize().map_err(io)?;
        in_store(store, &at).unwrap_or_else(|| {
            Err(Error::NotOfTheStore {
                path: path.display().to_string(),
                store: self.store.clone(),
            })
        })
    }

    /// These paths with all that they refer to, directly or not, sorted by path.
    pub fn closure(&self, paths: &[StorePath]) -> Result<Vec<PathInfo>, Error> {
        let call = self
            .nix()
            .args(["path-info", "--json", "--recursive"])
            .args(paths.iter().map(StorePath::as_str));
        let (stdout, _) = self.text(&call).map_err(|error| match error {
            Error::Failed(said) if said.ends_with("is not valid") => {
                Error::NotInStore(named_in(&said).to_owned())
            }
            other => other,
        })?;
        let shown: Value = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        let mut infos = parse(&self.store, &shown, &call)?;
        infos.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(infos)
    }
}

/// What a path below the directory of the store is; `None` if it is elsewhere.
fn in_store(store: &Path, path: &Path) -> Option<Result<StorePath, Error>> {
    let mut below = path.strip_prefix(store).ok()?.components();
    let first = below.next()?;
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    if !plain(&first) || !below.clone().all(|part| plain(&part)) {
        return None;
    }
    let root = store.join(first);
    let text = root.to_string_lossy();
    Some(match below.next() {
        None => text.parse(),
        Some(_) => Err(Error::WithinStorePath {
            path: path.display().to_string(),
            root: text.into_owned(),
        }),
    })
}

/// `Nix: path '/nix/store/…' is not valid` → the path.
fn named_in(said: &str) -> &str {
    said.split('\'').nth(1).unwrap_or(said)
}

/// Until Nix 2.18 a list of objects with `path`; then an object of these by path, with null for
/// what is not there. In the format's second version, of Nix 2.33, that object is in `info` and paths
/// come without the store.
fn parse(store: &str, shown: &Value, call: &Call) -> Result<Vec<PathInfo>, Error> {
    let rows: Vec<(&str, &Value)> = match shown.get("info").unwrap_or(shown) {
        Value::Array(rows) => rows
            .iter()
            .map(|row| (row["path"].as_str().unwrap_or_default(), row))
            .collect(),
        Value::Object(rows) => rows
            .iter()
            .map(|(path, row)| (path.as_str(), row))
            .collect(),
        _ => return Err(call.unexpected("neither a list nor an object")),
    };
    rows.into_iter()
        .map(|(path, row)| {
            let path = StorePath::with_store(store, path)?;
            if row.is_null() || row["valid"] == Value::Bool(false) {
                return Err(Error::NotInStore(path.to_string()));
            }
            let lacks = |field: &str| call.unexpected(format!("{path} has no {field}"));
            let references = row["references"].as_array();
            let references = references.ok_or_else(|| lacks("references"))?.iter();
            let nar_hash = match &row["narHash"] {
                Value::Null => return Err(lacks("narHash")),
                Value::String(hash) => hash.clone(),
                other => other.to_string(),
            };
            Ok(PathInfo {
                references: references
                    .map(|text| StorePath::with_store(store, text.as_str().unwrap_or_default()))
                    .collect::<Result<_, _>>()?,
                nar_size: row["narSize"].as_u64().ok_or_else(|| lacks("narSize"))?,
                nar_hash,
                path,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a";
    const B: &str = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b";

    fn read(shown: &Value) -> Result<Vec<PathInfo>, Error> {
        parse("/nix/store", shown, &Call::new("nix"))
    }

    #[test]
    fn a_closure_is_read_in_the_old_form_and_the_new() {
        let (a, b) = (format!("/nix/store/{A}"), format!("/nix/store/{B}"));
        let old = json!([{"path": a, "references": [b], "narSize": 120, "narHash": "sha256-x"}]);
        let keyed = json!({a: {"references": [b], "narSize": 120, "narHash": "sha256-x"}});
        let newest = json!({"version": 2, "storeDir": "/nix/store",
            "info": {A: {"references": [B], "narSize": 120, "narHash": {"algorithm": "sha256", "hash": "x"}}}});
        for shown in [old, keyed, newest] {
            let [info] = &read(&shown).unwrap()[..] else {
                panic!("not one path: {shown}")
            };
            assert_eq!(info.path.name(), "a");
            assert_eq!(info.references[0].name(), "b");
            assert_eq!(info.nar_size, 120);
            assert!(info.nar_hash.contains('x'));
        }
    }

    #[test]
    fn what_is_not_in_the_store_is_said() {
        for shown in [
            json!([{"path": format!("/nix/store/{A}"), "valid": false}]),
            json!({format!("/nix/store/{A}"): null}),
        ] {
            let error = read(&shown).unwrap_err();
            assert!(matches!(error, Error::NotInStore(_)), "{error}");
        }
        assert_eq!(
            named_in("Nix: path '/nix/store/x' is not valid"),
            "/nix/store/x"
        );
    }

    #[test]
    fn what_lacks_a_fact_is_refused() {
        let row = json!({"references": [], "narSize": 1, "narHash": "x"});
        for field in ["references", "narSize", "narHash"] {
            let mut row = row.clone();
            row[field] = Value::Null;
            assert!(
                read(&json!({format!("/nix/store/{A}"): row})).is_err(),
                "{field}"
            );
        }
        assert!(read(&json!("x")).is_err());
    }

    #[test]
    fn a_store_path_is_told_from_what_is_in_it_and_what_is_elsewhere() {
        let at = |text: &str| in_store(Path::new("/nix/store"), Path::new(text));
        let a = format!("/nix/store/{A}");
        assert_eq!(at(&a).unwrap().unwrap().name(), "a");
        assert_eq!(at(&format!("{a}/")).unwrap().unwrap().name(), "a");
        let within = at(&format!("{a}/bin/a")).unwrap().unwrap_err();
        assert!(matches!(within, Error::WithinStorePath { .. }), "{within}");
        assert!(at("/nix/store/short").unwrap().is_err());
        for elsewhere in ["/nix", "/nix/store", "/tmp/x", &format!("{a}/../x")] {
            assert!(at(elsewhere).is_none(), "{elsewhere}");
        }
    }
}
