/// Who may start next: origins take turns, and none holds more than its share of the slots.
///
/// Pure bookkeeping for the driver: first come, first served within an origin.
struct AdmissionQueue<Element> {
    /// Those of one origin, in the order they came.
    final class Line {
        fileprivate let origin: String
        fileprivate var elements: [Element] = []
        fileprivate var taken = 0
        fileprivate var active = 0

        fileprivate init(origin: String) { self.origin = origin }

        fileprivate var count: Int { elements.count - taken }

        /// Takes the oldest; the room of the taken is given back when they are the greater part.
        fileprivate func popFirst() -> Element? {
            guard taken < elements.count else { return nil }
            let first = elements[taken]
            taken += 1
            if taken * 2 >= elements.count {
                elements.removeFirst(taken)
                taken = 0
            }
            return first
        }
    }

    /// One that may start, and the line whose slot it holds until ``finish(_:)``.
    struct Admitted {
        let element: Element
        let line: Line
    }

    /// How many origins are remembered although nobody of them is here.
    private static var rememberedLines: Int { 256 }

    private let slots: Int
    private let slotsPerOrigin: Int
    private var lines: [String: Line] = [:]
    private var activeCount = 0
    /// Those that have someone waiting and a slot to spare, in turn.
    private var turns: [Line] = []

    /// How many wait.
    private(set) var count = 0

    init(slots: Int, slotsPerOrigin: Int) {
        self.slots = slots
        self.slotsPerOrigin = slotsPerOrigin
    }

    /// Puts `element` at the end of its origin's line.
    mutating func append(_ element: Element, origin: String) {
        let line = line(of: origin)
        line.elements.append(element)
        count += 1
        if line.count == 1, line.active < slotsPerOrigin { turns.append(line) }
    }

    /// Takes the next that may start and counts it as active; `nil` when none may.
    mutating func next() -> Admitted? {
        guard activeCount < slots, !turns.isEmpty else { return nil }
        let line = turns.removeFirst()
        guard let element = line.popFirst() else { return nil }
        count -= 1
        activeCount += 1
        line.active += 1
        if line.count > 0, line.active < slotsPerOrigin { turns.append(line) }
        return Admitted(element: element, line: line)
    }

    /// Gives back the slot of one that ``next()`` returned.
    mutating func finish(_ line: Line) {
        precondition(line.active > 0, "\(line.origin) holds no slot")
        if line.active == slotsPerOrigin, line.count > 0 { turns.append(line) }
        line.active -= 1
        activeCount -= 1
        forget(line)
    }

    /// Takes out those who wait and satisfy `condition`.
    mutating func removeAll(where condition: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for line in lines.values where line.count > 0 {
            let live = line.elements[line.taken...]
            let leaving = live.filter(condition)
            guard !leaving.isEmpty else { continue }
            removed += leaving
            line.elements = live.filter { !condition($0) }
            line.taken = 0
            if line.count == 0 {
                turns.removeAll { $0 === line }
                forget(line)
            }
        }
        count -= removed.count
        return removed
    }

    private mutating func line(of origin: String) -> Line {
        if let line = lines[origin] { return line }
        let line = Line(origin: origin)
        lines[origin] = line
        return line
    }

    /// A line that nobody stands in is kept for the next of its origin, unless there are many.
    private mutating func forget(_ line: Line) {
        guard line.active == 0, line.count == 0, lines.count > Self.rememberedLines else { return }
        lines[line.origin] = nil
    }
}
