//! Connections by index, with generations: an event for a closed connection never reaches the one
//! that took its place.

use super::connection::Connection;

/// Names a connection for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId {
    pub index: u32,
    pub generation: u32,
}

impl ConnectionId {
    /// As a poll token.
    pub fn token(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// From a poll token.
    pub fn of_token(token: u64) -> Self {
        Self {
            index: token as u32,
            generation: (token >> 32) as u32,
        }
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

/// Generations stay below this, so that no connection's token is one of the server's own.
const GENERATIONS: u32 = 1 << 31;

impl Slots {
    /// Connections held.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn insert(&mut self, connection: Connection) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                connection: None,
            });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.connection = Some(connection);
        ConnectionId {
            index,
            generation: slot.generation,
        }
    }

    pub fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.connection
            .as_mut()
            .filter(|_| slot.generation == id.generation)
    }

    /// The connection at an index, whatever its generation.
    pub fn id_at(&self, index: u32) -> Option<ConnectionId> {
        let slot = self.slots.get(index as usize)?;
        slot.connection.as_ref().map(|_| ConnectionId {
            index,
            generation: slot.generation,
        })
    }

    pub fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let connection = slot.connection.take()?;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.free.push(id.index);
        Some(connection)
    }

    /// Every live connection's name.
    pub fn ids(&self) -> Vec<ConnectionId> {
        (0..self.slots.len() as u32)
            .filter_map(|index| self.id_at(index))
            .collect()
    }
}
