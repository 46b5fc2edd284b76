import ProxyTesting
import Testing

/// The behaviour of every backend on the distribution's kernel, which has IPVS. All suites share one topology.
@Suite(.serialized, .enabled(if: isVirtualMachineRing, "runs in Scripts/test-vm, or with SWIFTLET_TEST_RING=vm"))
struct ProxyBehaviourKernelVirtualMachineTests {
  @Suite struct Rows {
    @Test(arguments: RowTable.all(BackendUnderTest.inVirtualMachine))
    func rowsHold(_ table: RowTable) throws { try RowRunner.rowsHold(table) }
    @Test(arguments: BackendUnderTest.inVirtualMachine)
    func unsupportedIsWhatIsWrittenDown(_ backend: BackendUnderTest) throws { try Unsupported.isAsWrittenDown(backend) }
    @Test(arguments: BackendUnderTest.inVirtualMachine)
    func invalidPacketsAreForwardedOnlyWhenAskedFor(_ backend: BackendUnderTest) throws {
      try InvalidBehaviour(backend: backend).invalidPacketsAreForwardedOnlyWhenAskedFor()
    }
    @Test(arguments: BackendUnderTest.inVirtualMachine)
    func aLateSegmentResetsNothing(_ backend: BackendUnderTest) throws {
      try InvalidBehaviour(backend: backend).aLateSegmentResetsNothing()
    }
    @Test(arguments: BackendUnderTest.inVirtualMachine)
    func oneClientPortReachesAnEndpointByTwoFrontEnds(_ backend: BackendUnderTest) throws {
      try ClientPortBehaviour(backend: backend).oneClientPortReachesAnEndpointByTwoFrontEnds()
    }
  }

  @Suite struct Affinity {
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, AffinityBehaviour.Claim.allCases)
    func claimHolds(_ backend: BackendUnderTest, _ claim: AffinityBehaviour.Claim) throws {
      try AffinityBehaviour(backend: backend).check(claim)
    }
  }

  @Suite struct Changes {
    @Test(arguments: Subject.all(BackendUnderTest.onlyInVirtualMachine), ChangeBehaviour.Claim.allCases)
    func claimHolds(_ subject: Subject, _ claim: ChangeBehaviour.Claim) throws { try ChangeBehaviour(subject: subject).check(claim) }
  }

  @Suite struct Traffic {
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, TrafficBehaviour.Claim.allCases)
    func claimHolds(_ backend: BackendUnderTest, _ claim: TrafficBehaviour.Claim) throws {
      try TrafficBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.inVirtualMachine.filter { $0 != .ipvs })
    func endpointsRollOnTheOtherKernelToo(_ backend: BackendUnderTest) throws {
      try TrafficBehaviour(backend: backend).check(.endpointsRoll)
    }
  }

  @Suite struct Kernel {
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine)
    func changesLeaveWhatAFullLoadMakes(_ backend: BackendUnderTest) throws {
      try EquivalenceBehaviour(backend: backend).changesLeaveWhatAFullLoadMakes()
    }
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, HealingBehaviour.Claim.allCases)
    func damageIsHealed(_ backend: BackendUnderTest, _ claim: HealingBehaviour.Claim) throws {
      try HealingBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, OwnershipBehaviour.Claim.allCases)
    func ownershipIsClear(_ backend: BackendUnderTest, _ claim: OwnershipBehaviour.Claim) throws {
      try OwnershipBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, InspectBehaviour.Claim.allCases)
    func insightIsTrue(_ backend: BackendUnderTest, _ claim: InspectBehaviour.Claim) throws {
      try InspectBehaviour(backend: backend).check(claim)
    }
    @Test(arguments: BackendUnderTest.onlyInVirtualMachine, NeighbourBehaviour.Claim.allCases)
    func neighboursAreLeftInPeace(_ backend: BackendUnderTest, _ claim: NeighbourBehaviour.Claim) throws {
      try NeighbourBehaviour(backend: backend).check(claim)
    }
  }
}
