/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers that Intel's gigabit controllers share. Names: PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual (8254x), 82574 GbE Controller Family Datasheet, 82576 and
 * I350 datasheets. */
#ifndef DRIVERS_NIC_INTEL_REGISTERS_H
#define DRIVERS_NIC_INTEL_REGISTERS_H

#define CTRL       0x0000u
#define STATUS     0x0008u
#define EECD       0x0010u
#define EERD       0x0014u
#define CTRL_EXT   0x0018u
#define MDIC       0x0020u
#define FCAL       0x0028u
#define FCAH       0x002cu
#define FCT        0x0030u
#define ICR        0x00c0u
#define ITR        0x00c4u
#define IMS        0x00d0u
#define IMC        0x00d8u
#define EIAC       0x00dcu              /* 82574 */
#define IVAR       0x00e4u              /* 82574 */
#define EITR(i)    (0x00e8u + 4u * (i)) /* 82574 */
#define RCTL       0x0100u
#define FCTTV      0x0170u
#define TCTL       0x0400u
#define TIPG       0x0410u
#define GPIE       0x1514u /* igb */
#define EIMC       0x1528u /* igb */
#define FCRTL      0x2160u
#define FCRTH      0x2168u
#define STATISTICS 0x4000u
#define RXCSUM     0x5000u
#define RLPML      0x5004u /* igb */
#define RFCTL      0x5008u
#define MTA(i)     (0x5200u + 4u * (i))
#define RAL(i)     (0x5400u + 8u * (i))
#define RAH(i)     (0x5404u + 8u * (i))
#define VFTA(i)    (0x5600u + 4u * (i))
#define WUC        0x5800u
#define MRQC       0x5818u
#define RETA(i)    (0x5c00u + 4u * (i))
#define RSSRK(i)   (0x5c80u + 4u * (i))

/* A ring's, from its first register on. */
#define RING_BAL       0x00u
#define RING_BAH       0x04u
#define RING_LEN       0x08u
#define RING_SRRCTL    0x0cu /* igb */
#define RING_HEAD      0x10u
#define RING_TAIL      0x18u
#define RING_RDTR      0x20u /* 8254x, 82574 */
#define RING_TIDV      0x20u
#define RING_DCTL      0x28u
#define RING_RADV      0x2cu
#define RX_RING(i)     (0x2800u + 0x100u * (i))
#define TX_RING(i)     (0x3800u + 0x100u * (i))
#define TARC(i)        (0x3840u + 0x100u * (i))
#define IGB_RX_RING(i) (0xc000u + 0x40u * (i))
#define IGB_TX_RING(i) (0xe000u + 0x40u * (i))

#define CTRL_FD         (1u << 0)
#define CTRL_MASTER_OFF (1u << 2) /* GIO Master Disable */
#define CTRL_LRST       (1u << 3)
#define CTRL_ASDE       (1u << 5)
#define CTRL_SLU        (1u << 6)
#define CTRL_ILOS       (1u << 7)
#define CTRL_FRCSPD     (1u << 11)
#define CTRL_FRCDPLX    (1u << 12)
#define CTRL_RST        (1u << 26)
#define CTRL_RFCE       (1u << 27)
#define CTRL_TFCE       (1u << 28)
#define CTRL_VME        (1u << 30)
#define CTRL_PHY_RST    (1u << 31)
#define STATUS_FD       (1u << 0)
#define STATUS_LU       (1u << 1)
#define STATUS_SPEED(s) ((s) >> 6 & 3u)
#define STATUS_MASTER   (1u << 19) /* GIO Master Enable Status */
#define EECD_AUTO_RD    (1u << 9)
#define EERD_START      1u
#define CTRL_EXT_PBA    (1u << 31) /* PBA support */
#define CTRL_EXT_DRV    (1u << 28) /* DRV_LOAD */
#define MDIC_PHY        (1u << 21)
#define MDIC_WRITE      (1u << 26)
#define MDIC_READ       (2u << 26)
#define MDIC_READY      (1u << 28)
#define MDIC_ERROR      (1u << 30)

#define ICR_TXDW   (1u << 0)
#define ICR_LSC    (1u << 2)
#define ICR_RXSEQ  (1u << 3)
#define ICR_RXDMT0 (1u << 4)
#define ICR_RXO    (1u << 6)
#define ICR_RXT0   (1u << 7)
#define ICR_RXQ(i) (1u << (20u + (i))) /* 82574 */
#define ICR_TXQ(i) (1u << (22u + (i)))
#define ICR_OTHER  (1u << 24)
#define IVAR_VALID 8u
#define IVAR_EACH  (1u << 31) /* interrupts on every write-back, not on RS alone */

#define RCTL_EN       (1u << 1)
#define RCTL_UPE      (1u << 3)
#define RCTL_MPE      (1u << 4)
#define RCTL_LPE      (1u << 5)
#define RCTL_BAM      (1u << 15)
#define RCTL_VFE      (1u << 18)
#define RCTL_SECRC    (1u << 26)
#define TCTL_EN       (1u << 1)
#define TCTL_PSP      (1u << 3)
#define TCTL_CT       (0x0fu << 4)
#define TCTL_COLD     (0x3fu << 12) /* full duplex */
#define TCTL_RTLC     (1u << 24)
#define TCTL_MULR     (1u << 28) /* 82574 */
#define RXCSUM_IPOFLD (1u << 8)
#define RXCSUM_TUOFLD (1u << 9)
#define RXCSUM_PCSD   (1u << 13)
#define RFCTL_EXSTEN  (1u << 15)
#define RAH_AV        (1u << 31)
#define DCTL_ENABLE   (1u << 25) /* igb */

/* Statistics, offsets from STATISTICS; reading clears. */
#define STAT_CRCERRS 0x00u
#define STAT_SYMERRS 0x08u
#define STAT_RXERRC  0x0cu
#define STAT_MPC     0x10u
#define STAT_ECOL    0x18u
#define STAT_LATECOL 0x20u
#define STAT_TNCRS   0x34u
#define STAT_SEC     0x38u
#define STAT_CEXTERR 0x3cu
#define STAT_RLEC    0x40u
#define STAT_RNBC    0xa0u
#define STAT_RUC     0xa4u
#define STAT_RFC     0xa8u
#define STAT_ROC     0xacu
#define STAT_RJC     0xb0u

/* PHY, IEEE 802.3 clause 22. */
#define PHY_CONTROL    0u
#define PHY_RESTART    (1u << 9)
#define PHY_ISOLATE    (1u << 10)
#define PHY_POWERDOWN  (1u << 11)
#define PHY_AUTONEG    (1u << 12)
#define PHY_STATUS     1u
#define PHY_NEGOTIATED (1u << 5)

#endif
