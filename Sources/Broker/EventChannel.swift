package import JobModel

/// The way to whoever listens for events; nothing is kept of what nobody hears.
///
/// On a connection of its own: neither it nor what jobs wait for is held up by the other.
package protocol EventChannel: Sendable {
    /// Publishes messages in their order, in one write.
    ///
    /// What throws may have been published.
    func publish(_ messages: [EventMessage]) async throws(BrokerError)

    /// Frees the connection.
    func close() async
}

/// Where a worker hears that a peer calls for an election.
package protocol ElectionInbox: Sendable {
    /// The bytes of the next message, waiting for it; nil when closed or cancelled.
    func next() async -> [UInt8]?

    /// Stops listening.
    func close() async
}
