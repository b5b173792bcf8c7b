//! One client for each registry, shared by all workers, and the catalogs of the targets: made when they are asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::catalog::{self, Catalog, Target, Times};
use crate::source::registry::{Client, RegistryError, RegistryOptions};

/// The registries of an audit.
pub(super) struct Registries {
    options: RegistryOptions,
    times: Times,
    clients: Mutex<BTreeMap<String, Arc<Client>>>,
    catalogs: Mutex<BTreeMap<String, Arc<dyn Catalog>>>,
}

impl Registries {
    pub(super) fn new(options: RegistryOptions, times: Times) -> Self {
        Self { options, times, clients: Mutex::default(), catalogs: Mutex::default() }
    }

    /// The client of a registry.
    pub(super) fn client(&self, registry: &str) -> Result<Arc<Client>, RegistryError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(registry) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Client::new(registry, &self.options)?);
        clients.insert(registry.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    /// The catalog of a target.
    pub(super) fn catalog(&self, target: &Target) -> Result<Arc<dyn Catalog>, RegistryError> {
        let mut catalogs = self.catalogs.lock().unwrap_or_else(PoisonError::into_inner);
        let name = target.to_string();
        if let Some(catalog) = catalogs.get(&name) {
            return Ok(Arc::clone(catalog));
        }
        let catalog: Arc<dyn Catalog> = Arc::from(catalog::open(target, &self.options, self.times)?);
        catalogs.insert(name, Arc::clone(&catalog));
        Ok(catalog)
    }

    /// What the user should know of the way to the registries: one sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let catalogs = self.catalogs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes: Vec<String> = clients.values().flat_map(|client| client.notes()).collect();
        notes.extend(catalogs.values().flat_map(|catalog| catalog.notes()));
        notes.sort();
        notes.dedup();
        notes
    }
}
