import ProxyTesting
import Testing

/// The behaviour of the backends this machine's kernel can run. All suites share one topology, so they run one after the other.
@Suite(.serialized, .blocking) struct ProxyBehaviourKernelTests {
  @Suite struct Rows {
    @Test(arguments: RowTable.all(BackendUnderTest.native))
    func rowsHold(_ table: RowTable) throws { try RowRunner.rowsHold(table) }
    @Test(arguments: BackendUnderTest.native)
    func unsupportedIsWhatIsWrittenDown(_ backend: BackendUnderTest) throws { try Unsupported.isAsWrittenDown(backend) }
    @Test(arguments: BackendUnderTest.native)
    func invalidPacketsAreForwardedOnlyWhenAskedFor(_ backend: BackendUnderTest) throws {
      try InvalidBehaviour(backend: backend).invalidPacketsAreForwardedOnlyWhenAskedFor()
    }
    @Test(arguments: BackendUnderTest.native)
    func aLateSegmentResetsNothing(_ backend: BackendUnderTest) throws {
      try InvalidBehaviour(backend: backend).aLateSegmentResetsNothing()
    }
    @Test(arguments: BackendUnderTest.native)
    func oneClientPortReachesAnEndpointByTwoFrontEnds(_ backend: BackendUnderTest) throws {
      try ClientPortBehaviour(backend: backend).oneClientPortReachesAnEndpointByTwoFrontEnds()
    }
  }

  @Suite struct Affinity {
    @Test(arguments: BackendUnderTest.native, AffinityBehaviour.Claim.allCases)
    func claimHolds(_ backend: BackendUnderTest, _ claim: AffinityBehaviour.Claim) throws {
      try AffinityBehaviour(backend: backend).check(claim)
    }
  }

  @Suite struct Changes {
    @Test(arguments: Subject.all(BackendUnderTest.native), ChangeBehaviour.Claim.allCases)
    func claimHolds(_ subject: Subject, _ claim: ChangeBehaviour.Claim) throws { try ChangeBehaviour(subject: subject).check(claim) }
  }

  @Suite struct Traffic {
    @Test(arguments: BackendUnderTest.native, TrafficBehaviour.Claim.allCases)
    func claimHolds(_ backend: BackendUnderTest, _ claim: TrafficBehaviour.Claim) throws {
      try TrafficBehaviour(backend: backend).check(claim)
    }
  }

  @Suite struct Kernel {
    @Test(arguments: BackendUnderTest.native)
    func changesLeaveWhatAFullLoadMakes(_ backend: BackendUnderTest) throws {
      try EquivalenceBehaviour(backend: backend).changesLeaveWhatAFullLoadMakes()
    }
    @Test(arguments: BackendUnderTest.native, HealingBehaviour.Claim.allCases)
    func damageIsHealed(_ backend: BackendUnderTest, _ claim: HealingBehaviour.Claim) throws {
      try HealingBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.native, OwnershipBehaviour.Claim.allCases)
    func ownershipIsClear(_ backend: BackendUnderTest, _ claim: OwnershipBehaviour.Claim) throws {
      try OwnershipBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.native, InspectBehaviour.Claim.allCases)
    func insightIsTrue(_ backend: BackendUnderTest, _ claim: InspectBehaviour.Claim) throws {
      try InspectBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.native, NeighbourBehaviour.Claim.allCases)
    func neighboursAreLeftInPeace(_ backend: BackendUnderTest, _ claim: NeighbourBehaviour.Claim) throws {
      try NeighbourBehaviour(backend: backend).check(claim)
    }
  }
}
