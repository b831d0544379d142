/// Guards that the fault suite switches off one at a time, to prove that it would notice.
///
/// For tests only: nothing sets it unless drills are enabled as well.
package struct WeakenedGuards: Sendable, Equatable {
    /// Messages are popped and recorded in two steps, as kombu does: a kill in between loses them.
    package var reserve = false
    /// Deaths are not counted: a message may kill workers without end.
    package var brake = false

    package init() {}

    /// Takes `reserve` and `brake` from the words; others are somebody else's.
    package init(words: [String]) {
        reserve = words.contains("reserve")
        brake = words.contains("brake")
    }
}
