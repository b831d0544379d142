import Broker
import Foundation
import JobModel
import Testing

@testable import Backhaul

@Suite("What `backhaul chord` prints")
struct ChordReportTests {
    private func chord() -> OpenChord {
        var chord = OpenChord(group: "g")
        chord.size = 4
        chord.extra = 1
        chord.parts = 2
        chord.idle = .seconds(300)
        chord.expiresIn = .seconds(80_000)
        return chord
    }

    @Test("each missing member has a line with its place, its id and where it is")
    func members() {
        var detail = ChordDetail(chord: chord())
        detail.found = [
            MissingMember(
                index: 3, id: "m3", name: "billing.sum", behind: nil,
                place: .buried(in: .dead, entry: "tag", reason: "permanent: no\nsuch invoice")),
            MissingMember(
                index: nil, id: "m9", name: "billing.add", behind: "m8",
                place: .waiting(queue: "payments")),
        ]
        detail.nowhere = [1]
        detail.seen = 70
        let text = ChordReport(detail).text
        #expect(text.contains("chord g: 2 of 5 parts, waiting"))
        #expect(text.contains("last part: 5 min ago; expires in 22 h 13 min"))
        #expect(text.contains("3      m3  billing.sum  in the dead letters, entry tag, because"))
        #expect(text.contains("comes after job m8, which waits in queue payments"))
        #expect(text.contains("nowhere, in 70 messages: 1 member: at place 1"))
        #expect(!text.contains("no\nsuch"))
    }

    @Test("a look that stopped early calls nothing lost")
    func cut() {
        var detail = ChordDetail(chord: chord())
        detail.isCut = true
        detail.seen = 10
        let report = ChordReport(detail)
        #expect(report.lost == nil)
        #expect(report.text.contains("stopped after 10 messages; raise --messages"))
        #expect(!report.text.contains("nowhere"))
    }

    @Test("the listing says who ends a chord that is complete, or why nobody does")
    func states() {
        var complete = chord()
        complete.parts = 5
        #expect(complete.state == "complete, but only Python workers know of it")
        complete.isWatched = true
        #expect(complete.state == "complete; a worker of ours ends it within seconds")
        complete.claimant = .swift(origin: "backhaul@web01")
        #expect(complete.state == "being ended by backhaul@web01")
        var found = OpenChords()
        found.chords = [complete, chord()]
        found.isCut = true
        let text = ChordListing(found, limit: 1).text
        #expect(text.contains("5 of 5"))
        #expect(text.contains("2 open, 1 shown"))
        #expect(text.contains("not all keys were looked at"))
        #expect(ChordListing(OpenChords(), limit: 5).text == "no open chords")
    }

    @Test("the doctor warns of chords that nobody looks after")
    func doctor() {
        #expect(QueueChecks.judge(overdueChords: 0, open: 3).state == .ok)
        let check = QueueChecks.judge(overdueChords: 2, open: 3)
        #expect(check.state == .warn)
        #expect(check.found == "3 open, 2 of them not looked after")
    }
}
