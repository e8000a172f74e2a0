//! Checks file modes for privilege escalation: files that an attacker could change, and programs
//! that run with higher privileges.

use crate::finding::{Fault, Findings};
use crate::printable::printable;
use crate::tree::{Kind, Lost, Tree};

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_ALL: u32 = 0o002;

/// Finds world-writable files, except sticky directories such as /tmp; set-user-ID and set-group-ID
/// programs; devices and FIFOs; and symbolic links that form a loop. On a directory, set-group-ID
/// is harmless: it only sets the group of new files.
pub fn check(tree: &Tree, findings: &mut Findings) {
    tree.for_each(|path, _, node| {
        let mode = node.mode;
        let mut fault = |fault| findings.add(printable(path), fault);
        let directory = match &node.kind {
            Kind::Symlink(_) => {
                if let Err(Lost::Circle | Lost::TooDeep) = tree.find(path) {
                    fault(Fault::LinkCircle);
                }
                return;
            }
            Kind::Special(kind) => return fault(Fault::Special(kind)),
            Kind::Directory(_) => true,
            _ => false,
        };
        if mode & WRITABLE_BY_ALL != 0 && !(directory && mode & STICKY != 0) {
            fault(Fault::WorldWritable { mode });
        }
        if mode & SET_USER_ID != 0 && !directory {
            fault(Fault::SetUserId { mode });
        }
        if mode & SET_GROUP_ID != 0 && !directory {
            fault(Fault::SetGroupId { mode });
        }
    });
}
