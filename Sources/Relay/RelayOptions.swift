/// How the relay moves rows of the outbox to their queues.
package struct RelayOptions: Sendable {
    /// The most rows claimed in one transaction.
    package var batch = 1000
    /// Between two looks at the outbox while rows come in.
    package var busyPoll = Duration.milliseconds(25)
    /// Between two looks while none do.
    package var idlePoll = Duration.milliseconds(100)

    package init() {}
}
