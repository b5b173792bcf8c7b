//! Audits of registries: many images, each distinct layer read once, in a way that can be killed at any moment and gone on with.
//!
//! An audit is a queue of small [`state::Work`]: a listing becomes repositories, a repository becomes tags, a tag becomes images and layers. Each piece is
//! taken with a lease, done, and finished in one step together with what it led to ([`state::State::finish`]), so that many workers on many machines can share one audit and
//! none of what is finished is done again. What a layer holds is kept as [`crate::scan`] keeps it: no secret in clear.

pub mod catalog;
pub mod state;
pub mod tags;
