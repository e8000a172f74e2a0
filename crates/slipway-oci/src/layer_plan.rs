//! Assigns store paths to layers. One layer for each store path allows the most sharing, but
//! engines limit the number of layers.
//!
//! The plan gives a layer of its own to paths that other images are likely to share, and combines
//! the rest, including the program.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::{Closure, Digest, Error, Layer, Result, StorePath};

/// Default limit. Engines support about 127 layers; the difference is left for images built on top.
pub const MAX_LAYERS: usize = 100;

/// A layer of a planned image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// The ready-made layer with this index in the given list.
    Ready(usize),
    /// A layer to be packed from these paths.
    Pack(Vec<StorePath>),
}

/// Divides `closure` into at most `limit` layers.
///
/// Ready-made layers of files at `/` come first, as given. A ready-made layer of store paths is
/// used if all its paths are in the closure; it takes the position of its last path. Each other
/// path gets a layer of its own, dependencies first. If the limit is too low for that, the paths
/// with the most dependents in the closure get one, because other images are likely to need them
/// too. The rest share the last layer.
pub fn plan(closure: &Closure, ready: &[Layer], limit: usize) -> Result<Vec<Planned>> {
    let order: BTreeMap<&StorePath, usize> = closure
        .paths()
        .enumerate()
        .map(|(position, path)| (path, position))
        .collect();

    let mut roots = Vec::new();
    let mut placed = Vec::new();
    let mut used: BTreeSet<Digest> = BTreeSet::new();
    let mut covered: BTreeMap<&StorePath, Digest> = BTreeMap::new();
    for (number, layer) in ready.iter().enumerate() {
        let positions: Option<Vec<usize>> = layer
            .paths
            .iter()
            .map(|path| order.get(path).copied())
            .collect();
        let Some(positions) = positions else { continue };
        if !used.insert(layer.diff_id) {
            continue;
        }
        for path in &layer.paths {
            if let Some(first) = covered.insert(path, layer.digest) {
                return Err(Error::LayersOverlap {
                    first,
                    second: layer.digest,
                    path: path.clone(),
                });
            }
        }
        match positions.into_iter().max() {
            None => roots.push(Planned::Ready(number)),
            Some(position) => placed.push((position, Planned::Ready(number))),
        }
    }

    let mut single: Vec<(usize, &StorePath)> = closure
        .paths()
        .enumerate()
        .filter(|(_, path)| !covered.contains_key(path))
        .collect();
    let ready = roots.len() + placed.len();
    let room = limit.saturating_sub(ready);
    if ready > limit || (room == 0 && !single.is_empty()) {
        return Err(Error::TooManyLayers {
            ready,
            paths: single.len(),
            limit,
        });
    }
    let mut shared = Vec::new();
    if single.len() > room {
        let dependents = closure.dependents();
        single.sort_by_key(|(position, _)| (Reverse(dependents[*position]), *position));
        shared = single.split_off(room - 1);
        shared.sort();
    }
    let alone = single
        .into_iter()
        .map(|(position, path)| (position, Planned::Pack(vec![path.clone()])));
    placed.extend(alone);
    placed.sort_by_key(|(position, _)| *position);

    let mut layers = roots;
    layers.extend(placed.into_iter().map(|(_, layer)| layer));
    if !shared.is_empty() {
        let paths = shared.into_iter().map(|(_, path)| path.clone()).collect();
        layers.push(Planned::Pack(paths));
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MediaType;

    fn path(name: &str) -> StorePath {
        format!("/nix/store/{}-{name}", "0".repeat(32))
            .parse()
            .unwrap()
    }

    /// A chain: each path refers to the one before it.
    fn chain(names: &[&str]) -> Closure {
        let mut graph = String::new();
        let mut before: Option<StorePath> = None;
        for name in names {
            graph += &match &before {
                None => format!("{}\n\n0\n", path(name)),
                Some(before) => format!("{}\n\n1\n{before}\n", path(name)),
            };
            before = Some(path(name));
        }
        Closure::parse(&graph).unwrap()
    }

    fn layer(names: &[&str]) -> Layer {
        let digest = Digest::of(names.concat().as_bytes());
        Layer {
            media_type: MediaType::LayerZstd,
            digest,
            size: 1,
            diff_id: digest,
            uncompressed_size: 1,
            paths: names.iter().map(|name| path(name)).collect(),
        }
    }

    fn pack(names: &[&str]) -> Planned {
        Planned::Pack(names.iter().map(|name| path(name)).collect())
    }

    #[test]
    fn each_path_gets_a_layer_within_the_limit() {
        let planned = plan(&chain(&["libc", "ssl", "app"]), &[], 3).unwrap();
        assert_eq!(planned, [pack(&["libc"]), pack(&["ssl"]), pack(&["app"])]);
    }

    #[test]
    fn paths_nearest_to_the_program_share_the_last_layer() {
        let planned = plan(&chain(&["libc", "ssl", "kafka", "app"]), &[], 2).unwrap();
        assert_eq!(planned, [pack(&["libc"]), pack(&["ssl", "kafka", "app"])]);
    }

    #[test]
    fn paths_with_most_dependents_get_their_own_layers() {
        let needs = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        let closure = Closure::new(BTreeMap::from([
            (path("app"), needs(&["data", "kafka", "tls"])),
            (path("data"), needs(&[])),
            (path("kafka"), needs(&["tls", "zlib"])),
            (path("tls"), needs(&["zlib"])),
            (path("zlib"), needs(&[])),
        ]));
        assert_eq!(
            plan(&closure.unwrap(), &[], 3).unwrap(),
            [
                pack(&["zlib"]),
                pack(&["tls"]),
                pack(&["data", "kafka", "app"])
            ]
        );
    }

    #[test]
    fn uses_a_ready_layer_only_if_the_closure_contains_all_its_paths() {
        let ready = [
            layer(&["ssl", "other"]),
            layer(&["ssl", "libc"]),
            layer(&[]),
        ];
        let planned = plan(&chain(&["libc", "ssl", "app"]), &ready, 9).unwrap();
        assert_eq!(
            planned,
            [Planned::Ready(2), Planned::Ready(1), pack(&["app"])]
        );
    }

    #[test]
    fn ready_layers_count_towards_the_limit_and_duplicates_are_dropped() {
        let ready = [layer(&[]), layer(&["ssl"]), layer(&["ssl"])];
        let planned = plan(&chain(&["libc", "ssl", "kafka", "app"]), &ready, 3).unwrap();
        assert_eq!(
            planned,
            [
                Planned::Ready(0),
                Planned::Ready(1),
                pack(&["libc", "kafka", "app"])
            ]
        );
    }

    #[test]
    fn rejects_two_ready_layers_with_a_common_path() {
        let ready = [layer(&["libc"]), layer(&["libc", "ssl"])];
        let error = plan(&chain(&["libc", "ssl"]), &ready, 9).unwrap_err();
        assert!(matches!(error, Error::LayersOverlap { .. }), "{error}");
    }

    #[test]
    fn rejects_limits_that_are_too_low() {
        let closure = chain(&["libc", "app"]);
        assert!(plan(&closure, &[], 0).is_err());
        assert!(plan(&closure, &[layer(&[])], 1).is_err());
        assert!(plan(&closure, &[layer(&["libc", "app"])], 1).is_ok());
    }
}
