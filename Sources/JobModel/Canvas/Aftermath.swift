/// What follows the end of a job beside its own record: written in the same step that settles it.
package struct Aftermath: Sendable, Equatable {
    /// What is sent: callbacks, the next step of a chain, error callbacks.
    package var publication = Publication()
    /// Records of other tasks: the rest of a chain that will not run.
    package var records: [ResultRecord] = []
    /// Contributions to chords.
    package var parts: [ChordPart] = []
    /// That the job of a schedule's tick has ended for good.
    package var endedTick: EndedTick?

    package init() {}

    package var isEmpty: Bool {
        publication.isEmpty && records.isEmpty && parts.isEmpty && endedTick == nil
    }
}
