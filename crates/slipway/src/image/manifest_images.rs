//! Finds the images in manifests of Kubernetes and Compose, and replaces them within the text, so that
//! comments and formatting stay as they are.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The fields with containers, in Pods and in whatever contains a Pod's specification. Source:
/// Kubernetes API, PodSpec.
const CONTAINERS: [&str; 3] = ["containers", "ephemeralContainers", "initContainers"];

/// A node of a document. Others are referred to by their index.
enum Node {
    Text(String, ScalarStyle, Place),
    List(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Alias(usize, Place),
}

/// Where a node starts.
#[derive(Clone, Copy)]
struct Place {
    /// In characters from the start of the text.
    index: usize,
    line: usize,
}

/// What a node is in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Anything,
    Containers,
    /// A container of Kubernetes or a service of Compose.
    Container,
    Services,
    Image,
}

/// An image field.
struct Field {
    image: String,
    place: Place,
    /// `None` for an alias.
    style: Option<ScalarStyle>,
}

/// Replaces each image for which `new` returns another. The error message is one line.
pub fn replace(text: &str, mut new: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
    let mut replaced = String::with_capacity(text.len());
    let (mut rest, mut position) = (text, 0);
    for field in fields(text)? {
        let Some(new) = new(&field.image) else {
            continue;
        };
        let (before, from) = split(rest, field.place.index - position);
        let Field { image, place, .. } = &field;
        let (properties, old) = written(&field, from).ok_or_else(|| {
            let line = place.line;
            format!("line {line}: the image {image:?} must be written on one line, without escapes")
        })?;
        let new = match quote(field.style) {
            "" => scalar(&new),
            quote => format!("{quote}{new}{quote}"),
        };
        replaced.extend([before, properties, &new]);
        position = place.index + properties.chars().count() + old.chars().count();
        rest = &from[properties.len() + old.len()..];
    }
    Ok(replaced + rest)
}

/// The images that a text names, in its order.
pub fn images(text: &str) -> Result<Vec<String>, String> {
    Ok(fields(text)?.into_iter().map(|it| it.image).collect())
}

/// The name of an image, without tag and digest.
pub fn name(image: &str) -> &str {
    let start = image.rfind('/').map_or(0, |at| at + 1);
    let end = image[start..].find([':', '@']);
    &image[..end.map_or(image.len(), |end| start + end)]
}

/// A text as a YAML scalar.
pub fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-./:@_".contains(c);
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_plain) {
        true => text.to_owned(),
        // JSON is valid YAML.
        false => serde_json::Value::from(text).to_string(),
    }
}

fn split(text: &str, characters: usize) -> (&str, &str) {
    let at = text.char_indices().nth(characters);
    text.split_at(at.map_or(text.len(), |(at, _)| at))
}

/// Splits the start of a text, at which a field is written, into its anchor and tag, and the field
/// itself. `None` if it has line breaks or escapes, which names of images don't need.
fn written<'a>(field: &Field, text: &'a str) -> Option<(&'a str, &'a str)> {
    let mut rest = text;
    while rest.starts_with(['&', '!']) {
        rest = rest.trim_start_matches(|c: char| !c.is_whitespace());
        rest = rest.trim_start_matches([' ', '\t']);
    }
    let properties = &text[..text.len() - rest.len()];
    let old = match field.style {
        None => {
            let end = rest.find(|c: char| c.is_whitespace() || ",[]{}".contains(c));
            &rest[..end.unwrap_or(rest.len())]
        }
        Some(ScalarStyle::Literal | ScalarStyle::Folded) => return None,
        style => {
            let quote = quote(style);
            let after = rest.strip_prefix(quote)?.strip_prefix(&*field.image)?;
            let after = after.strip_prefix(quote)?;
            &rest[..rest.len() - after.len()]
        }
    };
    Some((properties, old))
}

fn quote(style: Option<ScalarStyle>) -> &'static str {
    match style {
        Some(ScalarStyle::SingleQuoted) => "'",
        Some(ScalarStyle::DoubleQuoted) => "\"",
        _ => "",
    }
}

/// The image fields of all documents, in the order of the text.
fn fields(text: &str) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    let mut document = Document::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line();
            format!("line {line}: {}", error.info().replace('\n', " "))
        })?;
        let place = Place {
            index: span.start.index(),
            line: span.start.line(),
        };
        match event {
            Event::DocumentEnd => {
                document.find_fields(&mut fields);
                document = Document::default();
            }
            event => document.add(event, place)?,
        }
    }
    fields.sort_by_key(|field: &Field| field.place.index);
    Ok(fields)
}

#[derive(Default)]
struct Document {
    nodes: Vec<Node>,
    anchors: HashMap<usize, usize>,
    /// The lists and maps that have not ended yet.
    open: Vec<Open>,
}

struct Open {
    node: usize,
    /// The key whose value comes next.
    key: Option<usize>,
}

impl Document {
    fn add(&mut self, event: Event, place: Place) -> Result<(), String> {
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Node::Text(text.into_owned(), style, place), anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(target) => (Node::Alias(*target, place), 0),
                None => return Err(format!("line {}: an alias of no anchor", place.line)),
            },
            Event::SequenceStart(anchor, _) => (Node::List(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => (Node::Map(Vec::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let is_open = matches!(node, Node::List(_) | Node::Map(_));
        let id = self.nodes.len();
        self.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        if let Some(parent) = self.open.last_mut() {
            match (&mut self.nodes[parent.node], parent.key.take()) {
                (Node::List(items), _) => items.push(id),
                (Node::Map(entries), Some(key)) => entries.push((key, id)),
                _ => parent.key = Some(id),
            }
        }
        if is_open {
            self.open.push(Open {
                node: id,
                key: None,
            });
        }
        Ok(())
    }

    /// Visits each node once in each role, so that aliases of aliases take no time.
    fn find_fields(&self, fields: &mut Vec<Field>) {
        let mut waiting: Vec<_> = self.root().into_iter().collect();
        let mut seen = HashSet::new();
        while let Some((id, role)) = waiting.pop() {
            if !seen.insert((id, role)) {
                continue;
            }
            match (&self.nodes[id], role) {
                (Node::Text(image, style, place), Role::Image) => fields.push(Field {
                    image: image.clone(),
                    place: *place,
                    style: Some(*style),
                }),
                (Node::Alias(target, place), Role::Image) => {
                    if let Node::Text(image, ..) = &self.nodes[*target] {
                        fields.push(Field {
                            image: image.clone(),
                            place: *place,
                            style: None,
                        });
                    }
                }
                (Node::Alias(target, _), role) => waiting.push((*target, role)),
                (Node::List(items), role) => {
                    let role = match role {
                        Role::Containers => Role::Container,
                        Role::Services | Role::Image => continue,
                        // A merge key can have a list of containers.
                        Role::Anything | Role::Container => role,
                    };
                    waiting.extend(items.iter().map(|&item| (item, role)));
                }
                (Node::Map(entries), role) => {
                    for &(key, value) in entries {
                        let key = self.text(key);
                        let next = match role {
                            Role::Anything if CONTAINERS.contains(&key) => {
                                waiting.push((value, Role::Containers));
                                Role::Anything
                            }
                            Role::Anything => role,
                            Role::Container if key == "image" => Role::Image,
                            // Source: yaml.org, "Merge Key Language-Independent Type".
                            Role::Container | Role::Services if key == "<<" => role,
                            Role::Services => Role::Container,
                            _ => continue,
                        };
                        waiting.push((value, next));
                    }
                }
                (Node::Text(..), _) => {}
            }
        }
    }

    /// The first node. Compose files have services, which objects of Kubernetes don't have beside
    /// their `apiVersion`.
    fn root(&self) -> Option<(usize, Role)> {
        if let Some(Node::Map(entries)) = self.nodes.first() {
            let find = |name: &str| entries.iter().find(|(key, _)| self.text(*key) == name);
            if let (Some((_, services)), None) = (find("services"), find("apiVersion")) {
                return Some((*services, Role::Services));
            }
        }
        (!self.nodes.is_empty()).then_some((0, Role::Anything))
    }

    fn text(&self, node: usize) -> &str {
        match &self.nodes[node] {
            Node::Text(text, ..) => text,
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces the image `app`.
    fn replaced(text: &str) -> String {
        replace(text, |image| {
            (name(image) == "app").then(|| "h:1/a@d".to_owned())
        })
        .unwrap()
    }

    #[test]
    fn replaces_images_of_containers_and_nothing_else() {
        let text = "\
# a comment: image: app
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {image: app}}
spec:
  template:
    spec:
      initContainers: [{name: ä, image: app}, {image: 'app:1'}]
      containers:
        - name: app   # not this one
          image:   \"app:dev\"   # this one
          env:
            - {name: image, value: app}
        - image: other:1
---
kind: List
items:
- kind: Pod
  spec:
    ephemeralContainers:
    - image: app@sha256:00
      args: [image, app]
";
        let expected = text
            .replace("ä, image: app}", "ä, image: h:1/a@d}")
            .replace("'app:1'", "'h:1/a@d'")
            .replace("\"app:dev\"", "\"h:1/a@d\"")
            .replace("app@sha256:00", "h:1/a@d");
        assert_eq!(replaced(text), expected);
        assert_eq!(
            images(text).unwrap(),
            ["app", "app:1", "app:dev", "other:1", "app@sha256:00"]
        );
    }

    #[test]
    fn replaces_images_of_services_through_anchors_and_merge_keys() {
        let text = "\
x-image: &image app:1
x-common: &common
  image: app
x-other: {image: app}
services:
  a: {<<: *common, command: [app]}
  b:
    image: *image
  c:
    <<: [*common]
    image: &c !!str app
    containers: [{image: app}]
volumes:
  image: app
";
        let expected = text
            .replace("&common\n  image: app", "&common\n  image: h:1/a@d")
            .replace("image: *image", "image: h:1/a@d")
            .replace("!!str app", "!!str h:1/a@d");
        assert_eq!(replaced(text), expected);
    }

    #[test]
    fn replaces_images_in_json() {
        let text = r#"{"kind": "Pod", "spec": {"containers": [{"image":"app"}]}}"#;
        assert_eq!(replaced(text), text.replace("\"app\"", "\"h:1/a@d\""));
    }

    #[test]
    fn keeps_line_ends_and_empty_documents() {
        let text = "---\r\n---\r\ncontainers:\r\n- image: app\r\n...\r\n# end";
        assert_eq!(replaced(text), text.replace("image: app", "image: h:1/a@d"));
        assert_eq!(replaced(""), "");
    }

    #[test]
    fn refuses_what_is_not_yaml() {
        for text in ["a: [b", "containers: [*x]", "a: &a [*a]\nb: *b"] {
            let error = images(text).unwrap_err();
            assert!(
                error.starts_with("line ") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_images_that_are_not_on_one_line() {
        for text in [
            "containers:\n- image: |\n    app\n",
            "containers:\n- image: \"a\\x70p\"\n",
        ] {
            let error = replace(text, |_| Some("b".to_owned())).unwrap_err();
            assert!(error.contains("must be written on one line"), "{error}");
        }
    }

    #[test]
    fn aliases_of_aliases_take_no_time() {
        let mut bomb = "a0: &a0 {containers: [{image: app}]}\n".to_owned();
        for level in 1..100 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{alias}, {alias}]\n");
        }
        assert_eq!(images(&bomb).unwrap(), ["app"]);
        let deep = "- ".repeat(5000);
        assert!(images(&deep).is_ok_and(|images| images.is_empty()));
    }

    #[test]
    fn name_has_no_tag_and_no_digest() {
        for (image, expected) in [
            ("app", "app"),
            ("app:1", "app"),
            ("h:5000/a/app", "h:5000/a/app"),
            ("h:5000/app:1@sha256:00", "h:5000/app"),
            ("app:${TAG:-dev}", "app"),
        ] {
            assert_eq!(name(image), expected);
        }
    }

    #[test]
    fn scalar_is_quoted_if_it_would_mean_something_else() {
        assert_eq!(
            scalar("h.example:5000/a_b-c@sha256:00"),
            "h.example:5000/a_b-c@sha256:00"
        );
        assert_eq!(scalar("[::1]:5000/a"), "\"[::1]:5000/a\"");
        assert_eq!(scalar("*a"), "\"*a\"");
    }
}
