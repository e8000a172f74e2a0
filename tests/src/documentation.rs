//! The commands that the documentation shows.

/// The commands in a page's blocks of these kinds, such as `console`: lines after `$ `, and in `sh`
/// blocks all lines other than comments. A line that ends with `\` continues on the next one.
pub fn commands(text: &str, kinds: &[&str]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut block = None;
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = if block.is_none() {
                Some(kind.trim())
            } else {
                None
            };
            continue;
        }
        let command = match block {
            _ if goes_on => Some(line),
            Some("sh") if kinds.contains(&"sh") => {
                Some(line).filter(|line| !line.is_empty() && !line.starts_with('#'))
            }
            Some(kind) if kinds.contains(&kind) => line.strip_prefix("$ "),
            _ => None,
        };
        let Some(command) = command else { continue };
        let (words, continued) = match command.strip_suffix('\\') {
            Some(words) => (words, true),
            None => (command, false),
        };
        match commands.last_mut() {
            Some(last) if goes_on => last.push_str(words.trim_start()),
            _ => commands.push(words.into()),
        }
        goes_on = continued;
    }
    commands
}
