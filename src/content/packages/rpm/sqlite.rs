//! `rpmdb.sqlite`: the table `Packages` has a header in each row. What stands in a write-ahead log
//! beside it is not read: images are made by programs that close their database.

use crate::content::sqlite::{Node, Pages, Value, trees, values};

/// Gives every header of the database.
pub(super) fn blobs(bytes: &[u8], tell: &mut dyn FnMut(&[u8])) {
    let Some(pages) = Pages::of_database(bytes) else { return };
    let Some(root) = trees(&pages).into_iter().find(|tree| tree.name == "Packages").map(|tree| tree.root) else { return };
    // A database that leads in circles ends, and one whose rows share their pages does too.
    let (mut left, mut open) = (bytes.len() / pages.usable() + 1, vec![root]);
    while let Some(number) = open.pop() {
        let Some(node) = left.checked_sub(1).and_then(|less| {
            left = less;
            Node::parse(&pages, number)
        }) else {
            continue;
        };
        open.extend(node.children().rev());
        for payload in node.cells.iter().filter_map(|cell| cell.payload.as_ref()) {
            let Some(less) = left.checked_sub(payload.length / pages.usable()) else { return };
            left = less;
            let record = node.payload(&pages, payload, bytes.len(), &mut |_, _| {});
            if let Some([_, Value::Blob(blob), ..]) = values(&record, payload.length).as_deref() {
                tell(blob);
            }
        }
    }
}
