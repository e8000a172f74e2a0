//! HTTP settings shared by the clients of mirrors and registries: proxies, certificates and
//! retries. Callers build requests and interpret responses.

mod agents;
mod config;
mod early_answer;
mod location;
mod proxy;
mod retry_policy;

pub use agents::{Agents, Route};
pub use config::{agent_config, tls_config};
pub use location::{host_and_port, is_same_origin, resolve, without_login};
pub use proxy::Proxies;
pub use retry_policy::{RetryPolicy, Tries, is_transient, retry_after};
