/// Gives ids to every task that a signature will become, so that their results can be named before
/// they run.
struct CanvasFreezer {
    /// What a signature is given from outside when it is frozen.
    struct Place {
        /// The id of its result.
        var id: String?
        var groupID: String?
        var groupIndex: Int?
        /// The chord that it is a member of.
        var chord: JSONValue?
        var rootID: String?
    }

    let newID: @Sendable () -> String

    /// Freezes `signature` in place; ids that are there already stay.
    func freeze(_ signature: inout Signature, _ place: Place = Place()) -> ResultNode {
        switch signature.shape {
        case .task: freezeTask(&signature, place)
        case .chain: freezeChain(&signature, place)
        case .group(let members): freezeGroup(&signature, members, place)
        case .chord(let header, let body): freezeChord(&signature, header, body, place)
        }
    }

    private func freezeTask(_ task: inout Signature, _ place: Place) -> ResultNode {
        let id = task.taskID ?? place.id ?? newID()
        task.options["task_id"] = .string(id)
        if let rootID = place.rootID { task.options["root_id"] = .string(rootID) }
        if task.options["reply_to"] == nil { task.options["reply_to"] = "" }
        if let groupID = place.groupID, task.options["group_id"]?.isNull ?? true {
            task.options["group_id"] = .string(groupID)
        }
        if let chord = place.chord { task.options["chord"] = chord }
        if let index = place.groupIndex {
            task.options["group_index"] = .number(JSONNumber(index))
        }
        return ResultNode(id)
    }

    private func freezeChain(_ chain: inout Signature, _ place: Place) -> ResultNode {
        let (steps, results) = steps(of: chain, place, isSent: false)
        chain.shape = .chain(steps.reversed())
        guard let result = results.first else { return ResultNode(place.id ?? newID()) }
        if chain.taskID == nil { chain.options["task_id"] = .string(result.id) }
        return result
    }

    private func freezeGroup(
        _ group: inout Signature, _ members: [Signature], _ place: Place
    ) -> ResultNode {
        let id = group.taskID ?? newID()
        group.options["task_id"] = .string(id)
        if let groupID = place.groupID { group.options["group_id"] = .string(groupID) }
        if let chord = place.chord { group.options["chord"] = chord }
        if let index = place.groupIndex {
            group.options["group_index"] = .number(JSONNumber(index))
        }
        if let rootID = place.rootID, group.options["root_id"] == nil {
            group.options["root_id"] = .string(rootID)
        }
        var flat = Self.flattened(members)
        var children: [ResultNode] = []
        children.reserveCapacity(flat.count)
        for index in flat.indices {
            var inner = place
            inner.id = nil
            inner.groupIndex = index
            children.append(freeze(&flat[index], inner))
        }
        group.shape = .group(flat)
        return ResultNode(id, children: children)
    }

    /// The header's members are told of their chord only when they are sent: a message that carries
    /// a chord yet to come would repeat its body for each of them.
    private func freezeChord(
        _ chord: inout Signature, _ header: [Signature], _ body: Signature, _ place: Place
    ) -> ResultNode {
        var body = body
        let result = freeze(&body, place)
        var group = Signature.group(header, options: chord.headerOptions)
        let head = freeze(&group, Place(rootID: place.rootID))
        chord.headerOptions = group.options
        chord.options["task_id"] = .string(head.id)
        if case .group(let members) = group.shape {
            chord.shape = .chord(header: members, body: body)
        }
        result.oldest.parent = head
        return result
    }

    /// The members of nested groups in one list, without empty chains.
    static func flattened(_ members: [Signature]) -> [Signature] {
        guard members.contains(where: { $0.isGroup || $0.isEmptyChain }) else { return members }
        return members.flatMap { member -> [Signature] in
            if case .group(let inner) = member.shape { return flattened(inner) }
            return member.isEmptyChain ? [] : [member]
        }
    }

    // MARK: Chains

    /// The steps of a chain, frozen, the last one first, and their results in the same order.
    ///
    /// A group with a successor becomes a chord. With `isSent`, chords whose body is a chain are
    /// taken apart, as the first step is sent now.
    func steps(
        of chain: Signature, _ place: Place, args: [JSONValue] = [], linkErrors: [JSONValue] = [],
        isSent: Bool
    ) -> (steps: [Signature], results: [ResultNode]) {
        guard case .chain(let members) = chain.shape else { return ([], []) }
        var flat = flatSteps(members, isSent: isSent)
        if !args.isEmpty, !flat.isEmpty { flat[0] = flat[0].given(args) }
        var steps: [Signature] = []
        var results: [ResultNode] = []
        /// The node of the step before which the next one is to be noted as its parent.
        var open: ResultNode?
        for var step in flat.reversed() {
            if case .group(let members) = step.shape, let successor = steps.popLast() {
                let bodyResult = results.removeLast()
                var chord = Signature.chord(members, body: successor)
                chord.headerOptions = step.options
                step = chord
                open = results.last
                if let node = open?.descendant(of: bodyResult) {
                    node.parent = nil
                    open = node
                }
            }
            let result = freeze(
                &step, steps.isEmpty ? place : Place(rootID: place.rootID))
            if let open, open.parent == nil { open.parent = result }
            for errback in linkErrors {
                step.add(errback, to: "link_error")
                if case .chord(let header, var body) = step.shape {
                    body.add(errback, to: "link_error")
                    step.shape = .chord(header: header, body: body)
                }
            }
            steps.append(step)
            results.append(result)
            open = step.isChord ? result.oldest : result
        }
        return (steps, results)
    }

    private func flatSteps(_ members: [Signature], isSent: Bool) -> [Signature] {
        var flat: [Signature] = []
        var waiting = Array(members.reversed())
        while var step = waiting.popLast()?.unrolled {
            switch step.shape {
            case .chain(let inner):
                waiting += Self.linked(inner, as: step).reversed()
            case .group(let inner) where inner.isEmpty: continue
            case .chord(let header, let body):
                guard isSent, case .chain(let inner) = body.shape, let first = inner.first,
                    !first.isGroup
                else {
                    flat.append(step)
                    continue
                }
                let linked = Self.linked(inner, as: body)
                step.shape = .chord(header: header, body: linked[0])
                flat.append(step)
                waiting += linked.dropFirst().reversed()
            case .task, .group: flat.append(step)
            }
        }
        return flat
    }

    /// The steps of a chain that is taken apart: its callbacks go to the last, its error callbacks
    /// to all.
    private static func linked(_ steps: [Signature], as chain: Signature) -> [Signature] {
        guard !steps.isEmpty else { return steps }
        var steps = steps
        for callback in chain.list("link") { steps[steps.count - 1].link(callback) }
        for errback in chain.list("link_error") {
            for index in steps.indices { steps[index].linkError(errback) }
        }
        return steps
    }
}
