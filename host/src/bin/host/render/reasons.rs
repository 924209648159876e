//! The pages of reason codes.

use casparian_host::explain;

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};

/// Returns the codes, a line each.
pub(super) fn codes(pages: &[explain::Page], page: Page) -> String {
    let row = |of: &explain::Page| vec![Cell::toned(Tone::Warn, of.code), Cell::new(of.title)];
    layout::lines("", &[Align::Left, Align::Left], &pages.iter().map(row).collect::<Vec<_>>(), page)
}

/// Returns a page: as it is in a pipe, its prose broken on a terminal and its fences left out.
pub(super) fn explained(of: &explain::Page, page: Page) -> String {
    if page.width.is_none() {
        return of.text.to_owned();
    }
    let mut is_code = false;
    let mut text = String::new();
    for line in of.text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            continue;
        }
        text += &if is_code { format!("    {line}\n") } else { prose(line, page) };
    }
    text
}

fn prose(line: &str, page: Page) -> String {
    if let Some(title) = line.strip_prefix("# ").or_else(|| line.strip_prefix("## ")) {
        return format!("{}\n", page.paint.tone(Tone::Strong, title));
    }
    let (lead, words) = line.strip_prefix("- ").map_or(("", line), |words| ("-", words));
    let rows = [vec![Cell::new(lead), Cell::new(words)]];
    match lead {
        "" => layout::lines(
            "",
            &[Align::Left],
            &layout::wrap_last("", 1, &[vec![Cell::new(words)]], page),
            page,
        ),
        _ => layout::lines("", &[Align::Left, Align::Left], &layout::wrap_last("", 2, &rows, page), page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_markdown_in_a_pipe_and_fits_a_terminal() {
        for of in explain::pages() {
            assert_eq!(explained(&of, Page::PLAIN), of.text);
            let shown = explained(&of, Page { width: Some(60), ..Page::PLAIN });
            assert!(!shown.contains("```"), "{shown}");
            let is_prose = |line: &&str| !line.starts_with("    ");
            assert!(shown.lines().filter(is_prose).all(|line| layout::width(line) <= 60), "{shown}");
        }
    }

    #[test]
    fn the_list_has_a_line_for_each_code() {
        let pages: Vec<_> = explain::pages().collect();
        let list = codes(&pages, Page::PLAIN);
        assert_eq!(list.lines().count(), pages.len());
        assert!(list.contains("CF0202  would become another value\n"), "{list}");
    }
}
