/// Who may start next: origins take turns, and none holds more than its share of the slots.
///
/// Pure bookkeeping for the driver: first come, first served within an origin.
struct AdmissionQueue<Element> {
    private struct Waiting {
        var elements: [Element] = []
        var taken = 0

        var count: Int { elements.count - taken }

        /// Takes the oldest; the room of the taken is given back when they are the greater part.
        mutating func popFirst() -> Element? {
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

    private let slots: Int
    private let slotsPerOrigin: Int
    private var waiting: [String: Waiting] = [:]
    private var active: [String: Int] = [:]
    private var activeCount = 0
    /// Origins that have someone waiting and a slot to spare, in turn.
    private var turns: [String] = []

    /// How many wait.
    private(set) var count = 0

    init(slots: Int, slotsPerOrigin: Int) {
        self.slots = slots
        self.slotsPerOrigin = slotsPerOrigin
    }

    /// Puts `element` at the end of its origin's line.
    mutating func append(_ element: Element, origin: String) {
        if waiting[origin] == nil, active[origin, default: 0] < slotsPerOrigin {
            turns.append(origin)
        }
        waiting[origin, default: Waiting()].elements.append(element)
        count += 1
    }

    /// Takes the next that may start and counts it as active; `nil` when none may.
    mutating func next() -> Element? {
        guard activeCount < slots, !turns.isEmpty else { return nil }
        let origin = turns.removeFirst()
        guard var line = waiting.removeValue(forKey: origin), let element = line.popFirst() else {
            return nil
        }
        count -= 1
        activeCount += 1
        active[origin, default: 0] += 1
        if line.count > 0 {
            if active[origin, default: 0] < slotsPerOrigin { turns.append(origin) }
            waiting[origin] = line
        }
        return element
    }

    /// Gives back the slot of one that ``next()`` returned.
    mutating func finish(origin: String) {
        guard let held = active[origin] else { preconditionFailure("\(origin) holds no slot") }
        activeCount -= 1
        active[origin] = held > 1 ? held - 1 : nil
        if held == slotsPerOrigin, waiting[origin] != nil { turns.append(origin) }
    }

    /// Takes out everyone waiting for whom `condition` holds, wherever they stand.
    mutating func removeAll(where condition: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for (origin, line) in waiting {
            let live = line.elements[line.taken...]
            let leaving = live.filter(condition)
            guard !leaving.isEmpty else { continue }
            removed += leaving
            let staying = live.filter { !condition($0) }
            waiting[origin] = staying.isEmpty ? nil : Waiting(elements: Array(staying))
            if staying.isEmpty { turns.removeAll { $0 == origin } }
        }
        count -= removed.count
        return removed
    }
}
