//! Packages are fetched from mirrors and images are pushed to registries, from machines that may
//! reach either through a proxy only. This crate is what both have in common: which way a request
//! takes, and where an answer sends it on to. What is asked, and what an answer means, is theirs.

mod agents;
mod early_answer;
mod location;
mod proxy;

pub use agents::{Agents, Route};
pub use location::{authority, is_same_origin, resolve};
pub use proxy::Proxies;
