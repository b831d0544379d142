/// One lane of work: as long as there is a delivery, run it and settle it.
struct Processor: Sendable {
    let fetcher: Fetcher
    let runner: JobRunner
    let settler: Settler
    /// Called when the lane ends because a body would not.
    let onSlotLost: @Sendable () -> Void

    func run() async {
        while let delivery = await fetcher.next() {
            let conclusion = await runner.run(delivery)
            await settler.settle(conclusion)
            if conclusion.isSlotLost { return onSlotLost() }
        }
    }
}
