//! Closures of store paths. An image holds exactly the closure of its program, as computed by Nix.
//!
//! Nix passes the closure to a builder as a file. Its dependency order also decides the order of
//! the image's layers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::{Error, Result, StorePath};

/// A store path and the other store paths that it refers to, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub path: StorePath,
    pub references: Vec<StorePath>,
    pub refers_to_itself: bool,
}

/// A set of store paths that contains every path they refer to, dependencies before dependents.
///
/// Where dependencies leave the order open, paths are sorted by name (bytewise). Names change less
/// often than hashes, so the order of layers stays stable across updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure(Vec<Node>);

impl Closure {
    /// Parses the file that Nix writes for the derivation attribute `exportReferencesGraph`.
    ///
    /// For each path, the file has these lines: the path, its deriver (or an empty line), the
    /// number of its references, each reference. A path may refer to itself. Source: Nix manual,
    /// "Advanced Attributes", `exportReferencesGraph`, which names the format of
    /// `nix-store --register-validity`.
    ///
    /// Errors: a malformed graph (with its line number), or a graph that is not a closure.
    pub fn parse(graph: &str) -> Result<Closure> {
        let mut lines = Lines::new(graph);
        let mut references = BTreeMap::new();
        while let Some(path) = lines.path_or_end()? {
            let at = lines.number;
            lines.next("the deriver")?;
            let count = lines.count()?;
            let refs = (0..count).map(|_| lines.path()).collect::<Result<_>>()?;
            if references.contains_key(&path) {
                return Err(Error::Graph {
                    line: at,
                    reason: format!("{path} is listed twice"),
                });
            }
            references.insert(path, refs);
        }
        if references.is_empty() {
            return Err(lines.fault("it lists no path".to_owned()));
        }
        Closure::new(references)
    }

    /// Builds a closure from each path's references, which may include the path itself.
    pub fn new(references: BTreeMap<StorePath, Vec<StorePath>>) -> Result<Closure> {
        let mut own = BTreeSet::new();
        let normalize = |(path, mut refs): (StorePath, Vec<StorePath>)| {
            if refs.contains(&path) {
                own.insert(path.clone());
            }
            refs.retain(|reference| *reference != path);
            refs.sort();
            refs.dedup();
            (path, refs)
        };
        let references = references.into_iter().map(normalize).collect();
        let mut nodes = sort(references)?;
        for node in &mut nodes {
            node.refers_to_itself = own.contains(&node.path);
        }
        Ok(Closure(nodes))
    }

    /// The union of several closures.
    pub fn merge(closures: impl IntoIterator<Item = Closure>) -> Result<Closure> {
        let nodes = closures.into_iter().flat_map(|closure| closure.0);
        let references = |node: Node| {
            let own = node.refers_to_itself.then(|| node.path.clone());
            let references = node.references.into_iter().chain(own).collect();
            (node.path, references)
        };
        Closure::new(nodes.map(references).collect())
    }

    /// Removes `list`, and of the paths that it refers to those whose content is copied to other
    /// places. What a copy refers to stays, and so does a path that something else refers to, or
    /// that refers to itself.
    pub fn without_copies(self, list: &StorePath) -> Closure {
        let copied: BTreeSet<StorePath> = self
            .0
            .iter()
            .filter(|node| node.path == *list)
            .flat_map(|node| node.references.clone())
            .collect();
        let mut needed: BTreeSet<StorePath> = BTreeSet::new();
        let mut kept = Vec::new();
        // Whatever refers to a path comes after it.
        for node in self.0.into_iter().rev() {
            if node.path == *list {
                continue;
            }
            needed.extend(node.references.iter().cloned());
            if !copied.contains(&node.path) || node.refers_to_itself || needed.contains(&node.path)
            {
                kept.push(node);
            }
        }
        kept.reverse();
        Closure(kept)
    }

    /// Removes `path` from the closure. It is an error if another path refers to it.
    pub fn without(mut self, path: &StorePath) -> Result<Closure> {
        if let Some(node) = self.0.iter().find(|node| node.references.contains(path)) {
            return Err(Error::GraphLacks(node.path.clone(), path.clone()));
        }
        self.0.retain(|node| node.path != *path);
        Ok(self)
    }

    /// Removes the paths that a base image has already.
    pub fn beyond(mut self, base: &BTreeSet<StorePath>) -> Closure {
        self.0.retain(|node| !base.contains(&node.path));
        self
    }

    /// The paths with their references, dependencies first.
    pub fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// The paths, dependencies first.
    pub fn paths(&self) -> impl Iterator<Item = &StorePath> {
        self.0.iter().map(|node| &node.path)
    }

    /// For each path, how many other paths depend on it, directly or indirectly. The order is that
    /// of [`Closure::paths`].
    pub fn dependents(&self) -> Vec<usize> {
        let position: BTreeMap<&StorePath, usize> = self.paths().zip(0..).collect();
        let words = self.0.len().div_ceil(64);
        // Each set is a bitmap of the paths that depend on this one. Dependents come later in the
        // list, so a path's set is complete by the time it is passed on to its references.
        let mut sets = vec![vec![0_u64; words]; self.0.len()];
        for (dependent, node) in self.0.iter().enumerate().rev() {
            let mut passed_on = std::mem::take(&mut sets[dependent]);
            passed_on[dependent / 64] |= 1 << (dependent % 64);
            for reference in node.references.iter().filter_map(|path| position.get(path)) {
                for (word, more) in sets[*reference].iter_mut().zip(&passed_on) {
                    *word |= more;
                }
            }
            passed_on[dependent / 64] &= !(1 << (dependent % 64));
            sets[dependent] = passed_on;
        }
        let count = |set: Vec<u64>| set.iter().map(|word| word.count_ones() as usize).sum();
        sets.into_iter().map(count).collect()
    }
}

/// Topological sort by Kahn's algorithm. The heap holds the paths whose dependencies are all
/// emitted.
fn sort(references: BTreeMap<StorePath, Vec<StorePath>>) -> Result<Vec<Node>> {
    let mut dependents: BTreeMap<&StorePath, Vec<&StorePath>> = BTreeMap::new();
    let mut waiting: BTreeMap<&StorePath, usize> = BTreeMap::new();
    for (path, refs) in &references {
        waiting.insert(path, refs.len());
        for reference in refs {
            if !references.contains_key(reference) {
                return Err(Error::GraphLacks(path.clone(), reference.clone()));
            }
            dependents.entry(reference).or_default().push(path);
        }
    }

    let ready = |path| Reverse((StorePath::name(path), path));
    let mut heap: BinaryHeap<_> = waiting
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(path, _)| ready(*path))
        .collect();
    let mut order = Vec::with_capacity(references.len());
    while let Some(Reverse((_, path))) = heap.pop() {
        waiting.remove(path);
        order.push(path.clone());
        for dependent in dependents.get(path).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    heap.push(ready(*dependent));
                }
            }
        }
    }
    if let Some(path) = waiting.keys().next() {
        return Err(Error::GraphCycle((*path).clone()));
    }

    let mut references = references;
    let node = |path| Node {
        references: references.remove(&path).unwrap_or_default(),
        path,
        refers_to_itself: false,
    };
    Ok(order.into_iter().map(node).collect())
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        Lines {
            lines: text.lines(),
            number: 0,
        }
    }

    fn next(&mut self, wanted: &str) -> Result<&'a str> {
        self.number += 1;
        self.lines
            .next()
            .ok_or_else(|| self.fault(format!("it ends where {wanted} should be")))
    }

    fn path(&mut self) -> Result<StorePath> {
        let line = self.next("a store path")?;
        line.parse::<StorePath>()
            .map_err(|error| self.fault(error.to_string()))
    }

    fn path_or_end(&mut self) -> Result<Option<StorePath>> {
        match self.lines.clone().next() {
            None => Ok(None),
            Some(_) => self.path().map(Some),
        }
    }

    fn count(&mut self) -> Result<usize> {
        let line = self.next("the number of references")?;
        line.parse()
            .map_err(|_| self.fault(format!("{line:?} is not a number of references")))
    }

    fn fault(&self, reason: String) -> Error {
        Error::Graph {
            line: self.number,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> String {
        let hash = name.chars().next().unwrap().to_string().repeat(32);
        format!("/nix/store/{hash}-{name}")
    }

    fn graph(nodes: &[(&str, &[&str])]) -> String {
        let node = |(name, references): &(&str, &[&str])| {
            let mut lines = vec![path(name), String::new(), references.len().to_string()];
            lines.extend(references.iter().map(|name| path(name)));
            lines.join("\n") + "\n"
        };
        nodes.iter().map(node).collect()
    }

    fn order(graph: &str) -> Vec<String> {
        let closure = Closure::parse(graph).unwrap();
        closure.paths().map(|path| path.name().to_owned()).collect()
    }

    fn refusal(graph: &str) -> String {
        Closure::parse(graph).unwrap_err().to_string()
    }

    #[test]
    fn sorts_dependencies_first_and_breaks_ties_by_name() {
        let nodes: [(&str, &[&str]); 4] = [
            ("app", &["ssl", "kafka", "app"]),
            ("kafka", &["libc", "ssl"]),
            ("libc", &["libc"]),
            ("ssl", &["libc"]),
        ];
        assert_eq!(order(&graph(&nodes)), ["libc", "ssl", "kafka", "app"]);
    }

    #[test]
    fn counts_direct_and_indirect_dependents() {
        let mut nodes: Vec<(String, Vec<String>)> = vec![("0-libc".into(), vec![])];
        for number in 0..70 {
            // The first letter of the name becomes the hash, so that hashes differ.
            let letter = char::from(b"bcdfghijklm"[number % 11]);
            nodes.push((format!("{letter}-{number}"), vec!["0-libc".into()]));
        }
        nodes.push(("v-ssl".into(), vec!["0-libc".into()]));
        nodes.push(("x-kafka".into(), vec!["0-libc".into(), "v-ssl".into()]));
        nodes.push(("z-app".into(), vec!["x-kafka".into(), "v-ssl".into()]));
        let text: String = nodes
            .iter()
            .map(|(name, references)| {
                let references: Vec<&str> = references.iter().map(String::as_str).collect();
                graph(&[(name.as_str(), &references[..])])
            })
            .collect();
        let closure = Closure::parse(&text).unwrap();
        let counts = closure.dependents();
        let of = |name: &str| {
            let position = closure.paths().position(|path| path.name() == name);
            counts[position.unwrap()]
        };
        assert_eq!(of("0-libc"), 73);
        assert_eq!((of("v-ssl"), of("x-kafka"), of("z-app")), (2, 1, 0));
    }

    #[test]
    fn copied_paths_stay_if_something_refers_to_them() {
        let nodes: [(&str, &[&str]); 7] = [
            ("list", &["config", "font", "kit", "wrapper"]),
            ("config", &[]),
            ("font", &[]),
            ("kit", &["kit", "libc"]),
            ("wrapper", &["bash", "font"]),
            ("bash", &["libc"]),
            ("libc", &[]),
        ];
        let closure = Closure::parse(&graph(&nodes)).unwrap();
        let closure = closure.without_copies(&path("list").parse().unwrap());
        let mut names: Vec<&str> = closure.paths().map(StorePath::name).collect();
        names.sort_unstable();
        assert_eq!(names, ["bash", "font", "kit", "libc"]);
        assert_eq!(Closure::merge([closure.clone()]).unwrap().0.len(), 4);
    }

    #[test]
    fn ignores_the_order_of_the_graph_file() {
        let mut nodes: Vec<(&str, &[&str])> = vec![("zlib", &[]), ("bz", &[]), ("app", &["bz"])];
        let one = order(&graph(&nodes));
        nodes.reverse();
        assert_eq!(order(&graph(&nodes)), one);
        assert_eq!(one, ["bz", "app", "zlib"]);
    }

    #[test]
    fn skips_the_deriver_and_tells_self_references_apart() {
        let a = path("a");
        let closure = Closure::parse(&format!("{a}\n/nix/store/x.drv\n1\n{a}\n")).unwrap();
        assert_eq!(closure.nodes()[0].references, []);
        assert!(closure.nodes()[0].refers_to_itself);
    }

    #[test]
    fn rejects_malformed_graphs_with_the_line_number() {
        let a = path("a");
        assert!(refusal("").contains("lists no path"));
        assert!(refusal("hello\n\n0\n").starts_with("reference graph, line 1: \"hello\""));
        assert!(refusal(&a).contains("line 2: it ends where the deriver"));
        assert!(refusal(&format!("{a}\n")).contains("line 2"));
        assert!(refusal(&format!("{a}\n\n")).contains("line 3: it ends where the number"));
        assert!(refusal(&format!("{a}\n\n-1\n")).contains("line 3: \"-1\""));
        assert!(
            refusal(&format!("{a}\n\n2\n{a}\n")).contains("line 5: it ends where a store path")
        );
        assert!(refusal(&format!("{a}\n\n18446744073709551615\n")).contains("line 4"));
        assert!(refusal(&graph(&[("a", &[]), ("a", &[])])).contains("line 4"));
    }

    #[test]
    fn rejects_graphs_that_are_not_closures() {
        assert!(refusal(&graph(&[("a", &["b"])])).contains("does not list"));
        let cycle = graph(&[("a", &["b"]), ("b", &["a"])]);
        assert!(refusal(&cycle).contains("lead back"));
    }
}
