/// What is written to send a signature: one atomic step, or one after the other in this order.
package struct Publication: Sendable, Equatable {
    /// The number of parts a chord waits for, to be set before its last member is sent.
    package struct ChordSize: Sendable, Equatable {
        package let group: String
        package let size: Int

        package init(group: String, size: Int) {
            self.group = group
            self.size = size
        }
    }

    /// A group's tree of results, kept under its id so that a chord can be joined by it.
    package struct SavedGroup: Sendable, Equatable {
        package let group: String
        /// The JSON `{"result": [[id, parent], children]}`.
        package let record: JSONValue

        package init(group: String, record: JSONValue) {
            self.group = group
            self.record = record
        }
    }

    /// In the order in which they are sent.
    package var messages: [OutgoingMessage] = []
    package var chordSizes: [ChordSize] = []
    package var savedGroups: [SavedGroup] = []
    /// Chords that wait for one part more than their size says, one entry for each such part.
    package var extraParts: [String] = []

    package init() {}

    package var isEmpty: Bool {
        messages.isEmpty && chordSizes.isEmpty && savedGroups.isEmpty && extraParts.isEmpty
    }

    package static func += (left: inout Publication, right: Publication) {
        left.messages += right.messages
        left.chordSizes += right.chordSizes
        left.savedGroups += right.savedGroups
        left.extraParts += right.extraParts
    }
}
