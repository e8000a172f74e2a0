//! What an image must hold is not a list that someone keeps: it is the closure that Nix knows.
//! Nix hands it to a builder as a file, and the order of layers comes from it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::{Error, Result, StorePath};

/// A store path and the other store paths that it refers to, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub path: StorePath,
    pub references: Vec<StorePath>,
}

/// A set of store paths that holds every path they refer to, dependencies before dependents.
///
/// Where dependencies leave the order open, the path whose name comes first by bytes is first:
/// names change less often than hashes, so the order of layers does too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure(Vec<Node>);

impl Closure {
    /// Reads the file that Nix writes for the derivation attribute `exportReferencesGraph`.
    ///
    /// For each path it has these lines: the path, its deriver (or an empty line), the number of
    /// its references, each reference. A path may refer to itself. Source: Nix manual, "Advanced
    /// Attributes", `exportReferencesGraph`, which names the format of `nix-store --register-validity`.
    pub fn parse(graph: &str) -> Result<Closure> {
        let mut lines = Lines::new(graph);
        let mut references = BTreeMap::new();
        while let Some(path) = lines.path_or_end()? {
            let at = lines.number;
            lines.next("the deriver")?;
            let count = lines.count()?;
            let these = (0..count).map(|_| lines.path()).collect::<Result<_>>()?;
            if references.contains_key(&path) {
                return Err(Error::Graph {
                    line: at,
                    reason: format!("{path} is listed twice"),
                });
            }
            references.insert(path, these);
        }
        if references.is_empty() {
            return Err(lines.fault("it lists no path".to_owned()));
        }
        Closure::new(references)
    }

    /// The closure of these paths, each with all that it refers to (itself or not).
    pub fn new(references: BTreeMap<StorePath, Vec<StorePath>>) -> Result<Closure> {
        let tidy = |(path, mut these): (StorePath, Vec<StorePath>)| {
            these.retain(|reference| *reference != path);
            these.sort();
            these.dedup();
            (path, these)
        };
        sort(references.into_iter().map(tidy).collect()).map(Closure)
    }

    /// The paths with their references, dependencies first.
    pub fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// The paths, dependencies first.
    pub fn paths(&self) -> impl Iterator<Item = &StorePath> {
        self.0.iter().map(|node| &node.path)
    }

    /// How many other paths need each one, directly or not; in the order of the paths.
    pub fn dependents(&self) -> Vec<usize> {
        let position: BTreeMap<&StorePath, usize> = self.paths().zip(0..).collect();
        let words = self.0.len().div_ceil(64);
        // A bit for each path that needs this one. Dependents are the later ones, so their own sets
        // are whole when they are passed on.
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

/// Kahn's algorithm with a heap for the paths whose dependencies are all out.
fn sort(references: BTreeMap<StorePath, Vec<StorePath>>) -> Result<Vec<Node>> {
    let mut dependents: BTreeMap<&StorePath, Vec<&StorePath>> = BTreeMap::new();
    let mut waiting: BTreeMap<&StorePath, usize> = BTreeMap::new();
    for (path, these) in &references {
        waiting.insert(path, these.len());
        for reference in these {
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
        line.parse()
            .map_err(|error: Error| self.fault(error.to_string()))
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
    fn dependencies_come_first_and_ties_go_by_name() {
        let nodes: [(&str, &[&str]); 4] = [
            ("app", &["ssl", "kafka", "app"]),
            ("kafka", &["libc", "ssl"]),
            ("libc", &["libc"]),
            ("ssl", &["libc"]),
        ];
        assert_eq!(order(&graph(&nodes)), ["libc", "ssl", "kafka", "app"]);
    }

    #[test]
    fn a_path_is_needed_by_all_that_lead_to_it() {
        let mut nodes: Vec<(String, Vec<String>)> = vec![("0-libc".into(), vec![])];
        for number in 0..70 {
            // A hash is made of the first letter, which tells them apart.
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
    fn the_order_of_the_file_does_not_matter() {
        let mut nodes: Vec<(&str, &[&str])> = vec![("zlib", &[]), ("bz", &[]), ("app", &["bz"])];
        let one = order(&graph(&nodes));
        nodes.reverse();
        assert_eq!(order(&graph(&nodes)), one);
        assert_eq!(one, ["bz", "app", "zlib"]);
    }

    #[test]
    fn the_deriver_is_passed_over_and_a_self_reference_is_dropped() {
        let a = path("a");
        let closure = Closure::parse(&format!("{a}\n/nix/store/x.drv\n1\n{a}\n")).unwrap();
        assert_eq!(closure.nodes()[0].references, []);
    }

    #[test]
    fn a_malformed_graph_is_refused_with_its_line() {
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
    fn a_graph_that_is_no_closure_is_refused() {
        assert!(refusal(&graph(&[("a", &["b"])])).contains("does not list"));
        let circle = graph(&[("a", &["b"]), ("b", &["a"])]);
        assert!(refusal(&circle).contains("lead back"));
    }
}
