//! A YAML document as a tree. Its depth and its size are limited, also when aliases are replaced by
//! what they stand for, so that no document takes much memory.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// How deep lists and maps can be nested.
const DEPTH: usize = 64;
/// How many nodes a document can have.
const NODES: usize = 100_000;

/// A node of a document. Numbers and booleans are texts, and null is the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A list or a map that has not ended yet.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<String>,
    /// The number of its anchor. 0 if it has none.
    anchor: usize,
}

impl Node {
    /// Parses the first document of a text. The error message is one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: HashMap<usize, Node> = HashMap::new();
        let mut count = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let line = error.marker().line();
                format!("line {line}: {}", error.info().replace('\n', " "))
            })?;
            let at = |what: &str| format!("line {}: {what}", line(span));
            let (node, anchor) = match event {
                Event::Scalar(text, style, anchor, _) => {
                    let is_null = style == ScalarStyle::Plain && matches!(&*text, "~" | "null");
                    let text = if is_null { "" } else { &*text };
                    (Node::Text(text.to_owned()), anchor)
                }
                Event::Alias(anchor) => match anchors.get(&anchor) {
                    Some(node) => {
                        count += node.size();
                        if count > NODES {
                            return Err(at("the document is too large"));
                        }
                        (node.clone(), 0)
                    }
                    None => return Err(at("an alias stands for what contains it")),
                },
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    if open.len() == DEPTH {
                        return Err(at("lists and maps are nested too deeply"));
                    }
                    let node = match event {
                        Event::SequenceStart(..) => Node::List(Vec::new()),
                        _ => Node::Map(Vec::new()),
                    };
                    open.push(Open {
                        node,
                        key: None,
                        anchor,
                    });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(closed) => (closed.node.merged(), closed.anchor),
                    None => continue,
                },
                Event::DocumentEnd => break,
                _ => continue,
            };
            count += 1;
            if count > NODES {
                return Err(at("the document is too large"));
            }
            if anchor != 0 {
                anchors.insert(anchor, node.clone());
                count += node.size();
            }
            match open.last_mut() {
                Some(parent) => parent.add(node),
                None => return Ok(node),
            }
        }
        Ok(Node::Map(Vec::new()))
    }

    /// The text. `None` for lists and maps.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list. Anything but an empty text stands for a list of one.
    pub fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            Self::Text(text) if text.is_empty() => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The entries of a map. Nothing else has any.
    pub fn entries(&self) -> &[(String, Node)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries().iter().find(|(name, _)| name == key);
        entry.map(|(_, node)| node)
    }

    /// The text of a map's key, unless it is empty.
    pub fn get_text(&self, key: &str) -> Option<&str> {
        let text = self.get(key)?.text()?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Self::Map(entries) => 1 + entries.iter().map(|(_, node)| node.size()).sum::<usize>(),
        }
    }

    /// A map with the entries of its key `<<`. Source: yaml.org, "Merge Key Language-Independent
    /// Type".
    fn merged(self) -> Self {
        let Self::Map(entries) = self else {
            return self;
        };
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key == "<<");
        for (_, node) in merges {
            for item in node.items() {
                for (key, value) in item.entries() {
                    if !own.iter().any(|(known, _)| known == key) {
                        own.push((key.clone(), value.clone()));
                    }
                }
            }
        }
        Self::Map(own)
    }
}

impl Open {
    fn add(&mut self, child: Node) {
        match (&mut self.node, self.key.take()) {
            (Node::List(items), _) => items.push(child),
            (Node::Map(entries), Some(key)) => entries.push((key, child)),
            (Node::Map(_), None) => {
                let key = child.text().unwrap_or_default();
                self.key = Some(key.to_owned());
            }
            (Node::Text(_), _) => {}
        }
    }
}

fn line(span: Span) -> usize {
    span.start.line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    #[test]
    fn documents_become_trees() {
        let node =
            Node::parse("a: 1\nb: [x, 'null', ~]\nc:\n  d: >-\n    two\n    lines\n").unwrap();
        assert_eq!(node.get_text("a"), Some("1"));
        let items = [text("x"), text("null"), text("")];
        assert_eq!(node.get("b").unwrap().items(), items);
        assert_eq!(node.get("c").unwrap().get_text("d"), Some("two lines"));
        assert_eq!(node.get("a").unwrap().items(), [text("1")]);
        assert_eq!(Node::parse("").unwrap(), Node::Map(Vec::new()));
        assert_eq!(Node::parse("? [a]\n: b\n").unwrap().get_text(""), Some("b"));
    }

    #[test]
    fn aliases_and_merge_keys_are_replaced() {
        let node =
            Node::parse("- &x {a: 1, b: 2}\n- {<<: *x, b: 3}\n- {<<: [*x], c: 4}\n").unwrap();
        let items = node.items();
        assert_eq!(items[1].get_text("a"), Some("1"));
        assert_eq!(items[1].get_text("b"), Some("3"));
        assert_eq!(items[2].get_text("b"), Some("2"));
    }

    #[test]
    fn odd_documents_are_errors_of_one_line() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
        }
        for (document, expected) in [
            ("a: [b", "line "),
            ("a: b: c", "line 1: "),
            ("a: *b", "line 1: "),
            ("a: &a [*a]", "line 1: an alias stands for what contains it"),
            (
                &"[".repeat(100),
                "line 1: lists and maps are nested too deeply",
            ),
            (
                &"- ".repeat(100),
                "line 1: lists and maps are nested too deeply",
            ),
            (&bomb, "the document is too large"),
        ] {
            let error = Node::parse(document).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
