//! What an ELF file is made for stands in three fields of its header; what a platform is called stands
//! in one table, which Nix builds by as well.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use slipway_oci::Platform;

/// The table: a row a platform, by Nix's name of its processor.
const TABLE: &str = include_str!("platforms.json");

/// What an ELF file runs on. Source: System V ABI, "ELF Header": `EI_CLASS`, `EI_DATA`, `e_machine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// 32 or 64.
    pub bits: u8,
    pub big_endian: bool,
    /// `EM_…`: 62 for x86-64.
    pub number: u16,
}

/// The columns that count here.
#[derive(Deserialize)]
struct Row {
    /// `64-bit little-endian 183`
    elf: String,
    /// As `readelf` prints it.
    #[serde(rename = "elfMachine")]
    name: String,
    #[serde(deserialize_with = "from_text")]
    oci: Platform,
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Platform, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// A test proves that the table can be read.
fn rows() -> Vec<(Machine, Row)> {
    let table: BTreeMap<String, Row> = serde_json::from_str(TABLE).unwrap_or_default();
    let row = |row: Row| Some((Machine::parse(&row.elf)?, row));
    table.into_values().filter_map(row).collect()
}

impl Machine {
    /// The machine of a platform, if the table has it.
    pub fn of(platform: &Platform) -> Option<Machine> {
        let rows = rows();
        let row = rows.iter().find(|(_, row)| row.oci.serves(platform));
        row.map(|(machine, _)| *machine)
    }

    /// The platform whose programs are made for this machine, if the table has it.
    pub fn platform(&self) -> Option<Platform> {
        let rows = rows().into_iter();
        let mut rows = rows.filter(|(machine, _)| machine == self);
        rows.next().map(|(_, row)| row.oci)
    }

    fn parse(text: &str) -> Option<Machine> {
        let words: Vec<&str> = text.split(' ').collect();
        let [bits, order, number] = words[..] else {
            return None;
        };
        Some(Machine {
            bits: match bits {
                "32-bit" => 32,
                "64-bit" => 64,
                _ => return None,
            },
            big_endian: match order {
                "big-endian" => true,
                "little-endian" => false,
                _ => return None,
            },
            number: number.parse().ok()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some((_, row)) = rows().iter().find(|(machine, _)| machine == self) {
            return f.write_str(&row.name);
        }
        let order = if self.big_endian { "big" } else { "little" };
        write!(
            f,
            "ELF machine {} ({} bits, {order}-endian)",
            self.number, self.bits
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let table: BTreeMap<String, serde_json::Value> = serde_json::from_str(TABLE).unwrap();
        assert_eq!(rows().len(), table.len());
        for (machine, row) in rows() {
            assert_eq!(Machine::of(&row.oci), Some(machine));
            assert_eq!(machine.platform(), Some(row.oci));
            assert_eq!(machine.to_string(), row.name);
        }
    }

    #[test]
    fn a_machine_that_the_table_lacks_has_a_number() {
        let riscv64 = Machine {
            bits: 64,
            big_endian: false,
            number: 243,
        };
        assert_eq!(
            riscv64.to_string(),
            "ELF machine 243 (64 bits, little-endian)"
        );
        assert_eq!(riscv64.platform(), None);
        assert_eq!(Machine::of(&"linux/riscv64".parse().unwrap()), None);
    }
}
