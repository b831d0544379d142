import Broker
import JobModel

/// Answers when a peer asks all workers to agree on who does something.
///
/// A Python worker waits for an answer of everybody whose heartbeats it hears, for ever.
struct ElectionVoter: Sendable {
    let inbox: any ElectionInbox
    let tasks: TaskEvents
    let clock: LogicalClock

    /// Answers until cancelled.
    func run() async {
        while let message = await inbox.next() {
            for call in ElectionCall.all(in: message) {
                clock.receive(call.clock)
                tasks.add(.electionAcknowledged(id: call.id))
            }
        }
        await inbox.close()
    }
}
