/// Guards that the fault suite switches off one at a time, to prove that it would notice.
///
/// For tests only: nothing sets it unless drills are enabled as well.
package struct Weakening: Sendable, Equatable {
    /// Messages are popped and recorded in two steps, as kombu does: a kill in between loses them.
    package var reserve = false
    /// Deaths are not counted: a message may kill workers without end.
    package var brake = false

    package init() {}

    /// Reads a list such as `reserve,brake`; other words are somebody else's.
    package init(words: String) {
        let words = Set(words.split(separator: ",").map(String.init))
        reserve = words.contains("reserve")
        brake = words.contains("brake")
    }
}
