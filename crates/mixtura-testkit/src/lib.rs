//! What the tests share: laws that every model of the catalog must obey, oracles that share no code with the library,
//! and a loader of golden values.

pub mod golden;
pub mod laws;
pub mod oracle;
pub mod rows;
