//! Users of an image: who they are in `/etc/passwd` and `/etc/group`, and who owns a file.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use crate::{Error, Result};

/// A user with a group of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
}

/// The user and the group that own a file, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// The accounts of an image, sorted by user ID. Every image has root, and the user that programs
/// run as by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts(Vec<Account>);

/// Longest name, as in useradd(8).
const NAME_LENGTH: usize = 32;

fn fault(what: impl fmt::Debug, reason: &'static str) -> Error {
    Error::Config {
        what: format!("account {what:?}"),
        reason,
    }
}

/// Parses `NAME=UID[:GID[:HOME]]`. Without a GID, it is that of the user; without a home, it is `/`.
impl FromStr for Account {
    type Err = Error;

    fn from_str(text: &str) -> Result<Account> {
        let form = || {
            fault(
                text,
                "is not NAME=UID[:GID[:HOME]], such as app=1000:1000:/var/lib/app",
            )
        };
        let (name, rest) = text.split_once('=').ok_or_else(form)?;
        let mut fields = rest.splitn(3, ':');
        let mut number = || {
            let field = fields.next();
            field.map(|field| field.parse::<u32>().map_err(|_| form()))
        };
        let uid = number().ok_or_else(form)??;
        let gid = number().transpose()?.unwrap_or(uid);
        let home = fields.next().unwrap_or("/");
        let mut letters = name.bytes();
        let starts_well = letters
            .next()
            .is_some_and(|it| it.is_ascii_lowercase() || it == b'_');
        let is_in_name =
            |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-".contains(&it);
        if !starts_well || !letters.all(is_in_name) || name.len() > NAME_LENGTH {
            return Err(fault(
                text,
                "has a name that is not of the letters a-z, digits, _ and -",
            ));
        }
        if !home.starts_with('/') || home.contains([':', '\n', '\0']) {
            return Err(fault(text, "has a home that is not an absolute path"));
        }
        Ok(Account {
            name: name.to_owned(),
            uid,
            gid,
            home: home.to_owned(),
        })
    }
}

/// The form that [`Account`] is parsed from.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Account {
            name,
            uid,
            gid,
            home,
        } = self;
        write!(f, "{name}={uid}:{gid}:{home}")
    }
}

impl Accounts {
    /// The accounts that every image has, and `more`. No name and no number may be there twice.
    pub fn new(more: impl IntoIterator<Item = Account>) -> Result<Accounts> {
        let standard = |name: &str, number| Account {
            name: name.to_owned(),
            uid: number,
            gid: number,
            home: "/".to_owned(),
        };
        let mut all = vec![standard("root", 0), standard("nonroot", 65532)];
        for account in more {
            if all.iter().any(|other| other.name == account.name) {
                return Err(fault(&account.name, "is there twice"));
            }
            if all.iter().any(|other| other.uid == account.uid) {
                return Err(fault(&account.name, "has the user ID of another account"));
            }
            all.push(account);
        }
        all.sort_by_key(|account| account.uid);
        Ok(Accounts(all))
    }

    /// The text of `/etc/passwd`. Source: passwd(5).
    pub fn passwd(&self) -> String {
        let mut text = String::new();
        for Account {
            name,
            uid,
            gid,
            home,
        } in &self.0
        {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}:x:{uid}:{gid}:{name}:{home}:/sbin/nologin");
        }
        text
    }

    /// The text of `/etc/group`: for each group ID, a group with the name of the first account that
    /// has it. Source: group(5).
    pub fn group(&self) -> String {
        let mut text = String::new();
        for (number, Account { name, gid, .. }) in self.0.iter().enumerate() {
            if self.0[..number].iter().all(|other| other.gid != *gid) {
                let _ = writeln!(text, "{name}:x:{gid}:");
            }
        }
        text
    }

    /// Parses `USER[:GROUP]`, names of accounts or numbers. Without a group, it is the account's, or
    /// 0 for a number without an account: see OCI image-spec, config.md, `User`.
    pub fn owner(&self, text: &str) -> Result<Owner> {
        let unknown = || Error::Config {
            what: format!("owner {text:?}"),
            reason: "is neither USER:GROUP in numbers nor an account of the image",
        };
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let named = |name: &str| self.0.iter().find(|account| account.name == name);
        let uid = match user.parse() {
            Ok(uid) => uid,
            Err(_) => named(user).ok_or_else(unknown)?.uid,
        };
        let gid = match group.map(str::parse) {
            Some(Ok(gid)) => gid,
            Some(Err(_)) => named(group.unwrap_or_default()).ok_or_else(unknown)?.gid,
            None => self
                .0
                .iter()
                .find(|account| account.uid == uid)
                .map_or(0, |account| account.gid),
        };
        Ok(Owner { uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(texts: &[&str]) -> Result<Accounts> {
        let parsed = texts.iter().map(|text| text.parse());
        Accounts::new(parsed.collect::<Result<Vec<_>>>()?)
    }

    #[test]
    fn are_lines_of_passwd_and_group() {
        let accounts = accounts(&["web=1001:1000", "app=1000:1000:/var/lib/app"]).unwrap();
        assert_eq!(
            accounts.passwd(),
            "root:x:0:0:root:/:/sbin/nologin\n\
             app:x:1000:1000:app:/var/lib/app:/sbin/nologin\n\
             web:x:1001:1000:web:/:/sbin/nologin\n\
             nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
        );
        assert_eq!(
            accounts.group(),
            "root:x:0:\napp:x:1000:\nnonroot:x:65532:\n"
        );
    }

    #[test]
    fn owners_are_names_or_numbers() {
        let accounts = accounts(&["app=1000:50"]).unwrap();
        for (text, uid, gid) in [
            ("app", 1000, 50),
            ("1000", 1000, 50),
            ("7", 7, 0),
            ("7:8", 7, 8),
            ("app:nonroot", 1000, 65532),
            ("0:app", 0, 50),
        ] {
            assert_eq!(accounts.owner(text).unwrap(), Owner { uid, gid }, "{text}");
        }
        for bad in ["", "web", "app:", "app:web", "-1", "1:2:3", "4294967296"] {
            assert!(accounts.owner(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rejects_accounts_that_no_system_has() {
        for bad in [
            &["app"][..],
            &["app="],
            &["app=x"],
            &["app=1:"],
            &["app=1:1:home"],
            &["App=1"],
            &["=1"],
            &["a b=1"],
            &["a\n=1"],
            &["root=1"],
            &["app=0"],
            &["app=1000", "app=1001"],
            &["app=1000", "web=1000"],
        ] {
            assert!(accounts(bad).is_err(), "{bad:?}");
        }
    }
}
