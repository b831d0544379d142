import Relay
import Testing

@Suite("Relay options")
struct RelayOptionsTests {
    @Test("a busy outbox is looked at more often than an idle one")
    func pace() {
        let options = RelayOptions()
        #expect(options.busyPoll < options.idlePoll)
    }
}
