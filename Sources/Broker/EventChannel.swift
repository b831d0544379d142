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
