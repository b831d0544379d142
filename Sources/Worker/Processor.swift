/// One lane of work: as long as there is a delivery, run it and settle it.
struct Processor: Sendable {
    /// Deliveries after which a lane lets others have its thread: bodies that never wait would
    /// otherwise keep it from those that fetch and settle.
    private static let deliveriesInARow = 32

    let fetcher: Fetcher
    let runner: JobRunner
    let settler: Settler
    let runs: ActiveRuns
    /// Called when the lane ends because a body would not.
    let onSlotLost: @Sendable () -> Void

    func run() async {
        while true {
            let stint = Stint()
            runs.add(stint)
            let end = await stint.run { await work(in: $0) }
            let abandoned = stint.takeAbandoned()
            runs.remove(stint)
            switch end {
            case .over: return
            case .cut(let conclusion, let pass):
                await pass?.giveBack()
                await settler.settle(conclusion)
            case .abandoned:
                if let abandoned {
                    await abandoned.pass?.giveBack()
                    await settler.settle(
                        runner.conclusion(ofAbandoned: abandoned, cut: stint.cut))
                }
                return onSlotLost()
            }
        }
    }

    private func work(in stint: Stint) async -> Stint.End {
        var row = 0
        while true {
            let taken = fetcher.take()
            guard let delivery = if let taken { taken } else { await fetcher.next() } else { break }
            switch await runner.run(delivery, in: stint) {
            case .concluded(let conclusion):
                if !settler.leave(conclusion) { await settler.waitForRoom() }
            case .cut(let conclusion, let pass): return .cut(conclusion, pass)
            case .abandoned: return .abandoned
            }
            row += 1
            if row.isMultiple(of: Self.deliveriesInARow) { await Task.yield() }
        }
        return .over
    }
}
