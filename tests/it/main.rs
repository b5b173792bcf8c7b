//! The one integration binary: images made in memory, scanned through the public interface and through the program itself.

#![allow(clippy::unwrap_used)]

mod allow;
mod archivers;
mod archives;
mod audit;
mod base;
mod baseline;
mod bounds;
mod browser;
mod cache;
mod ci;
mod cli;
mod config;
mod convert;
mod daemon;
mod databases;
mod determinism;
mod dockerfile;
mod engine;
mod everyday;
mod example;
mod explain;
mod forms;
mod fuzz;
mod git;
mod hostile;
mod invariants;
mod life;
mod nested;
mod nested_images;
mod official;
mod packages;
mod pairs;
mod plugin;
mod postgres;
mod public;
mod real_tools;
mod registry;
#[cfg(unix)]
mod rpm;
mod rules;
mod shapes;
mod smoke;
mod spool;
mod state;
mod storage;
mod stores;
mod support;
mod tar;
