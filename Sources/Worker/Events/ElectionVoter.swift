import Broker
import JobModel

/// Answers when peers ask all workers to agree on one that does something, and never is the one.
///
/// A Python worker waits, for ever, for answers of everybody whose heartbeats it hears; and when it
/// alone stands, counting them kills it. So a worker stands too, with a later logical time: the lowest
/// wins.
struct ElectionVoter: Sendable {
    /// How long it waits before it answers: every peer has called by then, and is not left out of
    /// the count.
    static let delay = Duration.milliseconds(500)
    /// How many elections are remembered, so as to stand once in each.
    static let maximumRemembered = 64

    let inbox: any ElectionInbox
    let tasks: TaskEvents
    var timer: any Clock<Duration> = ContinuousClock()

    /// Answers until cancelled.
    func run() async {
        var known: [String] = []
        while let message = await inbox.next() {
            for call in ElectionCall.all(in: message) where !call.isOurs {
                tasks.clock.receive(call.clock)
                if !known.contains(call.id) {
                    known = known.suffix(Self.maximumRemembered - 1) + [call.id]
                    guard (try? await timer.sleep(for: Self.delay)) != nil else { break }
                    tasks.add(.electionJoined(call))
                }
                tasks.add(.electionAcknowledged(id: call.id))
            }
        }
        await inbox.close()
    }
}
