package import Foundation

/// A chord that has not ended, as its keys tell.
package struct OpenChord: Sendable, Equatable {
    /// Who ends it.
    package enum Claimant: Sendable, Equatable {
        /// A Swift worker; where it runs.
        case swift(origin: String)
        case python
    }

    package let group: String
    /// How many parts it was sent with; nil while its header is being sent, or after it failed.
    package var size: Int?
    /// How many were added since.
    package var extra = 0
    /// How many are there.
    package var parts = 0
    package var claimant: Claimant?
    /// Since the last part came; nil when none did, or where the server does not tell.
    package var idle: Duration?
    /// Until Redis drops it.
    package var expiresIn: Duration?
    /// Whether a worker of ours would end it, should its claimant die.
    package var isWatched = false

    package init(group: String) { self.group = group }

    /// How many it waits for; nil while nobody knows.
    package var missing: Int? { size.map { max(0, $0 + extra - parts) } }
}

/// The open chords that were found.
package struct OpenChords: Sendable, Equatable {
    /// Those that wait longest for a part first.
    package var chords: [OpenChord] = []
    /// Whether there may be more: not all keys were looked at.
    package var isCut = false

    package init() {}
}

/// A member whose part is not there.
package struct MissingMember: Sendable, Equatable {
    /// Where it was found.
    package enum Place: Sendable, Equatable {
        case waiting(queue: String)
        /// On its way to a queue, in chunks.
        case staged
        case delayed(until: Date)
        case inFlight(worker: String)
        /// In flight at a Python worker, which leaves no name.
        case inFlightElsewhere
        case buried(in: Grave, entry: String, reason: String)
    }

    /// Its place among the members.
    package let index: Double?
    package let id: String?
    package let name: String?
    /// The message that was found, when it is another's: a step of the chain before it.
    package let behind: String?
    package let place: Place

    package init(index: Double?, id: String?, name: String?, behind: String?, place: Place) {
        self.index = index
        self.id = id
        self.name = name
        self.behind = behind
        self.place = place
    }
}

/// An open chord, and where its members are.
package struct ChordDetail: Sendable, Equatable {
    package var chord: OpenChord
    /// The parts that are there: index and id.
    package var there: [(index: Double?, id: String, state: String)] = []
    package var found: [MissingMember] = []
    /// Places among the members of which there is neither a part nor a message.
    package var nowhere: [Int] = []
    /// Messages that were looked at.
    package var seen = 0
    /// Whether there were more of them than are looked at.
    package var isCut = false

    package init(chord: OpenChord) { self.chord = chord }

    /// How many members are missing and were not found.
    package var lost: Int? { chord.missing.map { max(0, $0 - found.count) } }

    package static func == (left: ChordDetail, right: ChordDetail) -> Bool {
        left.chord == right.chord && left.found == right.found && left.nowhere == right.nowhere
            && left.there.map(\.id) == right.there.map(\.id) && left.isCut == right.isCut
    }
}
